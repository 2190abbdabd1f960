import { describe, expect, it } from "vitest";
import { createManualClock } from "./clock.ts";
import { createDeadline, untilAborted, withDeadline } from "./deadline.ts";

const never = (): Promise<never> => new Promise(() => {});
const toError = (): Error => new Error("too late");

describe("a deadline", () => {
  it("aborts when time is up, or with the other signal", () => {
    const clock = createManualClock();
    using late = createDeadline({ clock, timeoutMs: 10, toError });
    const other = new AbortController();
    using early = createDeadline({ clock, timeoutMs: 10, signal: other.signal, toError });
    other.abort(new Error("given up"));
    clock.advance(10);
    expect(late.signal.reason).toEqual(new Error("too late"));
    expect(early.signal.reason).toEqual(new Error("given up"));
  });

  it("forgets its timer when it is disposed of", () => {
    const clock = createManualClock();
    const deadline = createDeadline({ clock, timeoutMs: 10, toError });
    deadline[Symbol.dispose]();
    clock.advance(10);
    expect(deadline.signal.aborted).toBe(false);
  });
});

describe("waiting until a signal aborts", () => {
  it("settles like the promise, or rejects with the reason", async () => {
    const ending = new AbortController();
    expect(await untilAborted(ending.signal, Promise.resolve(1))).toBe(1);
    await expect(untilAborted(ending.signal, Promise.reject(toError()))).rejects.toThrow(
      "too late",
    );
    const waiting = untilAborted(ending.signal, never());
    ending.abort(new Error("over"));
    await expect(waiting).rejects.toThrow("over");
  });

  it("takes care of a promise that fails after nobody waits for it", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", note);
    try {
      const pending = Promise.withResolvers<never>();
      const waiting = untilAborted(AbortSignal.abort(new Error("over")), pending.promise);
      await expect(waiting).rejects.toThrow("over");
      pending.reject(toError());
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).toEqual([]);
    } finally {
      process.off("unhandledRejection", note);
    }
  });
});

describe("a task with a deadline", () => {
  it("is done, fails, or is told that time is up", async () => {
    const clock = createManualClock();
    const limits = { clock, timeoutMs: 10, signal: new AbortController().signal };
    expect(await withDeadline(limits, async () => 1)).toEqual({ kind: "done", value: 1 });
    await expect(withDeadline(limits, () => Promise.reject(toError()))).rejects.toThrow("too late");
    let told: AbortSignal | undefined;
    const outcome = withDeadline(limits, (signal) => ((told = signal), never()));
    await Promise.resolve();
    clock.advance(10);
    expect(await outcome).toEqual({ kind: "timed-out" });
    expect(told?.aborted).toBe(true);
  });

  it("rejects with the reason of the signal, and is not begun when that has aborted", async () => {
    const clock = createManualClock();
    const ending = new AbortController();
    let begun = 0;
    const task = (): Promise<never> => ((begun += 1), never());
    const limits = { clock, timeoutMs: 10, signal: ending.signal };
    const running = withDeadline(limits, task);
    await Promise.resolve();
    ending.abort(new Error("over"));
    await expect(running).rejects.toThrow("over");
    await expect(withDeadline(limits, task)).rejects.toThrow("over");
    expect(begun).toBe(1);
  });
});
