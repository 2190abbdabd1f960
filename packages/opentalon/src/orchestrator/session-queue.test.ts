import { describe, expect, it, vi } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { StoreError } from "../base/errors.ts";
import type { Turn } from "../domain/turn.ts";
import { createSessionQueue } from "./session-queue.ts";

const turn = (id: string, sessionKey: string): Turn => ({ id, sessionKey, attempt: 1 }) as Turn;

function queue(run: (turn: Turn, isResumed: boolean, signal: AbortSignal) => Promise<void>) {
  const clock = createManualClock();
  return {
    clock,
    sessions: createSessionQueue({ run, concurrency: 4, clock, log: createSilentLog() }),
  };
}

describe("the session queue", () => {
  it("runs one session strictly in order and several side by side", async () => {
    const log: string[] = [];
    const gates = new Map(["a1", "b1"].map((id) => [id, Promise.withResolvers<void>()]));
    const { sessions } = queue(async ({ id }) => {
      log.push(`start ${id}`);
      await gates.get(id)?.promise;
      log.push(`end ${id}`);
    });
    for (const each of [turn("a1", "a"), turn("a2", "a"), turn("b1", "b")]) sessions.add(each);
    await vi.waitFor(() => expect(log).toEqual(["start a1", "start b1"]));
    gates.get("b1")?.resolve();
    gates.get("a1")?.resolve();
    await sessions.idle();
    expect(log.indexOf("start a2")).toBeGreaterThan(log.indexOf("end a1"));
  });

  it("tries a turn again, as a resumed one, until its commit works, before the next of the session starts", async () => {
    const runs: [string, boolean][] = [];
    const { sessions, clock } = queue(({ id }, isResumed) => {
      runs.push([id, isResumed]);
      return runs.length === 1
        ? Promise.reject(new StoreError("STORE_FULL", "disk full"))
        : Promise.resolve();
    });
    sessions.add(turn("1", "a"));
    sessions.add(turn("2", "a"));
    await vi.waitFor(() => expect(runs).toHaveLength(1));
    await vi.waitFor(() => {
      clock.advance(1_000);
      expect(runs).toHaveLength(3);
    });
    expect(runs).toEqual([
      ["1", false],
      ["1", true],
      ["2", false],
    ]);
  });

  it("lets go of a turn another process has taken over", async () => {
    const run = vi.fn(() => Promise.reject(new StoreError("STORE_FENCED", "taken over")));
    const { sessions } = queue(run);
    sessions.add(turn("1", "a"));
    await sessions.idle();
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("starts nothing more once stopped, and aborts what runs when asked", async () => {
    const started: string[] = [];
    const { sessions } = queue(({ id }, _isResumed, signal) => {
      started.push(id);
      return new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => reject(new Error("aborted"))),
      );
    });
    sessions.add(turn("1", "a"));
    sessions.add(turn("2", "a"));
    sessions.stop();
    sessions.add(turn("3", "b"));
    sessions.abort();
    await sessions.idle();
    expect(started).toEqual(["1"]);
  });
});
