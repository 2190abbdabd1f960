import { describe, expect, it, vi } from "vitest";
import { createSilentLog } from "../base/create-log.ts";
import { StoreError } from "../base/errors.ts";
import type { Turn } from "../domain/turn.ts";
import { createSessionQueue } from "./session-queue.ts";

const turn = (id: string, sessionKey: string): Turn => ({ id, sessionKey, attempt: 1 }) as Turn;

const queue = (run: (turn: Turn, signal: AbortSignal) => Promise<void>) =>
  createSessionQueue({ run, concurrency: 4, log: createSilentLog() });

describe("the session queue", () => {
  it("runs one session strictly in order and several side by side", async () => {
    const log: string[] = [];
    const gates = new Map(["a1", "b1"].map((id) => [id, Promise.withResolvers<void>()]));
    const sessions = queue(async ({ id }) => {
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

  it("goes on with the next turn of a session after one that could not be committed", async () => {
    const started: string[] = [];
    const sessions = queue(({ id }) => {
      started.push(id);
      return id === "1"
        ? Promise.reject(new StoreError("STORE_FAILED", "broken"))
        : Promise.resolve();
    });
    sessions.add(turn("1", "a"));
    sessions.add(turn("2", "a"));
    await sessions.idle();
    expect(started).toEqual(["1", "2"]);
  });

  it("lets go of a turn another process has taken over", async () => {
    const run = vi.fn(() => Promise.reject(new StoreError("STORE_FENCED", "taken over")));
    const sessions = queue(run);
    sessions.add(turn("1", "a"));
    await sessions.idle();
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("starts nothing more once stopped, and aborts what runs when asked", async () => {
    const started: string[] = [];
    const sessions = queue(({ id }, signal) => {
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
