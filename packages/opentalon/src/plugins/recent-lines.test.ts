import { expect, test } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { createSecret } from "../base/secret.ts";
import { createRecentLines, maxRecentLines } from "./recent-lines.ts";

test("lines of the plugin and lines about it are kept in order, without secrets and control characters", () => {
  const clock = createManualClock(1_000);
  const recent = createRecentLines(clock);
  const log = recent.record(createSilentLog());
  createSecret("hush-hush-token");
  log.info("it says \u001b[31mhush-hush-token\u001b[0m\u0007");
  clock.advance(5);
  log.warn({ problem: "it crashed", retryInMs: 200 }, "Plugin lost");
  log.debug("not for here");
  log.error("for the operator");
  expect(recent.last(10)).toEqual([
    { atMs: 1_000, from: "plugin", text: "it says [secret]�" },
    { atMs: 1_005, from: "opentalon", text: "Plugin lost: it crashed retryInMs=200" },
    { atMs: 1_005, from: "opentalon", text: "for the operator" },
  ]);
  expect(recent.last(1)).toHaveLength(1);
  expect(recent.last(0)).toEqual([]);
});

test("what is kept is bounded in lines and in length", () => {
  const recent = createRecentLines(createManualClock());
  const log = recent.record(createSilentLog());
  for (let index = 0; index < 2 * maxRecentLines; index += 1) log.info(`line ${index}`);
  const kept = recent.last(10_000);
  expect(kept).toHaveLength(maxRecentLines);
  expect(kept[0]?.text).toBe(`line ${maxRecentLines}`);
  for (let index = 0; index < 1_000; index += 1) log.info("x".repeat(20_000));
  const length = recent.last(10_000).reduce((sum, { text }) => sum + text.length, 0);
  expect(length).toBeLessThanOrEqual(262_144);
  expect(length).toBeGreaterThan(200_000);
});

test("a follower hears of new lines until it calls off", () => {
  const recent = createRecentLines(createManualClock());
  const log = recent.record(createSilentLog());
  const heard: string[] = [];
  const end = recent.follow(({ text }) => heard.push(text));
  log.info("one");
  end();
  log.info("two");
  expect(heard).toEqual(["one"]);
});
