import { beforeEach, expect, test } from "vitest";
import { createManualClock, type ManualClock } from "../base/clock.ts";
import { PluginError } from "../base/errors.ts";
import { createCallsUnderWay, type CallsUnderWay } from "./calls-under-way.ts";
import { hang } from "./testing/supervise-fake.ts";
import { watchHealth } from "./watch-health.ts";

let clock: ManualClock;
let calls: CallsUnderWay;
let check: (signal: AbortSignal) => Promise<void>;
let checks: number;
let problems: string[];

beforeEach(() => {
  clock = createManualClock();
  calls = createCallsUnderWay(clock);
  check = () => Promise.resolve();
  checks = 0;
  problems = [];
});

const start = (intervalMs = 30_000): (() => void) =>
  watchHealth({
    plugin: "p",
    check: (signal) => {
      checks += 1;
      return check(signal);
    },
    calls,
    intervalMs,
    clock,
    onSick: ({ message }) => problems.push(message),
  });

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};
/** In steps, so that what becomes due runs in between. */
const advance = async (byMs: number): Promise<void> => {
  for (let leftMs = byMs; leftMs > 0; leftMs -= 1_000) {
    clock.advance(Math.min(leftMs, 1_000));
    await settle();
  }
};
/** A call of which the test decides when it is answered. */
const begin = (timeoutMs: number): (() => Promise<void>) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const call = calls.track(timeoutMs, () => promise);
  return () => (resolve(), call);
};

test("a plugin that answers is asked again after the interval", async () => {
  const end = start();
  await advance(29_000);
  expect(checks).toBe(0);
  await advance(61_000);
  expect(checks).toBe(3);
  end();
  await advance(100_000);
  expect(checks).toBe(3);
  expect(problems).toEqual([]);
});

test("two unanswered checks prove that it hangs, one does not", async () => {
  start();
  check = hang;
  await advance(30_000);
  await advance(5_000);
  check = () => Promise.resolve();
  await advance(5_000);
  expect(problems).toEqual([]);
  check = hang;
  await advance(30_000 + 5_000 + 5_000 + 5_000);
  expect(problems).toEqual([
    'the plugin "p" failed 2 health checks in a row: it did not answer within 5 s, as a program that hangs',
  ]);
  await advance(1_000_000);
  expect(problems).toHaveLength(1);
});

test("a plugin that says it does not work is believed, however busy it is", async () => {
  start();
  begin(600_000);
  check = () => Promise.reject(new PluginError("p", "unavailable", "it is not serving"));
  await advance(40_000);
  expect(problems).toEqual(['the plugin "p" failed 2 health checks in a row: it is not serving']);
});

test("one that works on a long call and answers nothing else is left alone", async () => {
  start();
  const answer = begin(120_000);
  check = hang;
  await advance(110_000);
  await answer();
  check = () => Promise.resolve();
  await advance(100_000);
  expect(problems).toEqual([]);
});

test("one that answers other calls is alive", async () => {
  start();
  check = hang;
  for (let second = 0; second < 200; second += 1) {
    const answer = begin(1_000);
    await advance(1_000);
    await answer();
  }
  expect(problems).toEqual([]);
});

test("calls that come after it fell silent are no excuse for it", async () => {
  start();
  begin(40_000);
  check = hang;
  let elapsedMs = 0;
  while (problems.length === 0 && elapsedMs < 200_000) {
    if (elapsedMs % 10_000 === 0) begin(600_000);
    await advance(1_000);
    elapsedMs += 1_000;
  }
  // The calls it had when the first check was not answered end at 35 s + 600 s at the latest.
  expect(problems).toEqual([]);
  await advance(460_000);
  expect(problems).toHaveLength(1);
});

test("a short interval bounds the check too", async () => {
  start(100);
  check = hang;
  for (let step = 0; step < 4; step += 1) {
    clock.advance(100);
    await settle();
  }
  expect(problems).toEqual([expect.stringContaining("within 100 ms")]);
});
