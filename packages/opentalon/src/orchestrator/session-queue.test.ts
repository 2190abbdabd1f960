import { describe, expect, it, vi } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { StoreError } from "../base/errors.ts";
import type { Turn } from "../domain/turn.ts";
import { createSessionQueue, type SessionQueueOptions } from "./session-queue.ts";
import { findStop } from "./stop-request.ts";

const turn = (id: string, sessionKey: string, content = "", attempt = 1): Turn =>
  ({ id, sessionKey, attempt, message: { content } }) as Turn;

const clock = createManualClock();
const queue = (
  run: (turn: Turn, signal: AbortSignal) => Promise<void>,
  more: Partial<SessionQueueOptions> = {},
) =>
  createSessionQueue({
    run,
    concurrency: 4,
    windowMs: 0,
    gather: async (head) => head,
    standsAlone: ({ message }) => message.content.startsWith("/"),
    isStop: ({ message }) => message.content === "/stop",
    clock,
    log: createSilentLog(),
    ...more,
  });

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
    await vi.waitFor(() => expect(started).toEqual(["1"]));
    sessions.stop();
    sessions.add(turn("3", "b"));
    sessions.abort();
    await sessions.idle();
    expect(started).toEqual(["1"]);
  });
});

describe("a message that stops", () => {
  /** Runs until it is stopped or let go; answers the messages that stopped it. */
  const running = () => {
    const log: string[] = [];
    const gates = new Map<string, PromiseWithResolvers<void>>();
    const gate = (id: string): PromiseWithResolvers<void> => {
      const known = gates.get(id) ?? Promise.withResolvers<void>();
      gates.set(id, known);
      return known;
    };
    const run = async ({ id }: Turn, signal: AbortSignal): Promise<void> => {
      log.push(`start ${id}`);
      const stopped = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener("abort", () => resolve());
      });
      await Promise.race([stopped, gate(id).promise]);
      const stops = findStop(signal)?.take() ?? [];
      log.push([`end ${id}`, ...stops.map((stop) => stop.id)].join(" by "));
    };
    return { log, run, release: (id: string) => gate(id).resolve() };
  };

  it("ends the turn that runs at once, and nothing else", async () => {
    const { log, run, release } = running();
    const sessions = queue(run);
    for (const each of [turn("a1", "a"), turn("a2", "a"), turn("b1", "b")]) sessions.add(each);
    await vi.waitFor(() => expect(log).toEqual(["start a1", "start b1"]));
    sessions.add(turn("s1", "a", "/stop"));
    sessions.add(turn("s2", "a", "/stop"));
    await vi.waitFor(() => expect(log).toContain("start a2"));
    expect(log.slice(2)).toEqual(["end a1 by s1 by s2", "start a2"]);
    expect(sessions.size()).toBe(2);
    release("a2");
    release("b1");
    await sessions.idle();
    expect(sessions.size()).toBe(0);
  });

  it("is a turn of its own where nothing runs, or what ran was finished already", async () => {
    const { log, run, release } = running();
    const gate = Promise.withResolvers<void>();
    const sessions = queue(async (each, signal) => {
      await run(each, signal);
      if (each.id === "a1") await gate.promise;
    });
    release("s0");
    sessions.add(turn("s0", "a", "/stop"));
    await sessions.idle();
    sessions.add(turn("a1", "a"));
    sessions.add(turn("a2", "a"));
    release("a1");
    await vi.waitFor(() => expect(log).toContain("end a1"));
    // The turn has taken what it answers; its commit is under way.
    sessions.add(turn("s1", "a", "/stop"));
    release("s1");
    release("a2");
    gate.resolve();
    await sessions.idle();
    expect(log.slice(4)).toEqual(["start s1", "end s1", "start a2", "end a2"]);
  });

  it("after a crash ends the turn it was meant for: the first one that is not answered", async () => {
    const { log, run, release } = running();
    const sessions = queue(run, { windowMs: 1_000 });
    for (const id of ["a1", "a2"]) sessions.add(turn(id, "a", "", 2));
    sessions.add(turn("s1", "a", "/stop", 2));
    release("a2");
    await sessions.idle();
    expect(log).toEqual(["start a1", "end a1 by s1", "start a2", "end a2"]);
  });

  it("ends what has not begun yet because its messages wait for further ones", async () => {
    const { log, run } = running();
    const sessions = queue(run, { windowMs: 1_000 });
    sessions.add(turn("a1", "a"));
    sessions.add(turn("s1", "a", "/stop"));
    await sessions.idle();
    expect(log).toEqual(["start a1", "end a1 by s1"]);
  });
});

describe("messages that come shortly after one another", () => {
  const gathering = () => {
    const turns: string[] = [];
    const sessions = queue(
      async ({ id, alongside = [] }) => {
        turns.push([id, ...alongside.map((each) => each.id)].join("+"));
      },
      {
        windowMs: 1_000,
        gather: async (head, waiting) => ({
          ...head,
          alongside: waiting.filter(({ message }) => !message.content.startsWith("/")),
        }),
      },
    );
    return { turns, sessions };
  };

  it("wait for the newest of them, and become one turn", async () => {
    const { turns, sessions } = gathering();
    sessions.add(turn("1", "a"));
    clock.advance(900);
    sessions.add(turn("2", "a"));
    clock.advance(900);
    expect(turns).toEqual([]);
    clock.advance(100);
    await sessions.idle();
    expect(turns).toEqual(["1+2"]);
    expect(sessions.size()).toBe(0);
  });

  it("are answered when a command comes, when they were taken over, and at some time in any case", async () => {
    const { turns, sessions } = gathering();
    sessions.add(turn("1", "a"));
    sessions.add(turn("2", "a", "/help"));
    sessions.add(turn("3", "b", "", 2));
    await sessions.idle();
    expect(turns).toEqual(["1", "3", "2"]);
    for (let count = 0; count < 12; count += 1) {
      sessions.add(turn(`c${count}`, "c"));
      clock.advance(900);
    }
    await sessions.idle();
    expect(turns[3]).toMatch(/^c0\+c1\+.*c11$/);
    sessions.stop();
  });
});
