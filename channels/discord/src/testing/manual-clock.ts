import type { Clock } from "../clock.ts";

/** A clock that stands still until the test moves it. */
export interface ManualClock extends Clock {
  /** Moves time forward and runs what became due, in order. */
  readonly advance: (byMs: number) => void;
}

export function createManualClock(startMs: number): ManualClock {
  let nowMs = startMs;
  const pending = new Set<{ readonly atMs: number; readonly task: () => void }>();
  const after = (delayMs: number, task: () => void): (() => void) => {
    const entry = { atMs: nowMs + delayMs, task };
    pending.add(entry);
    return () => void pending.delete(entry);
  };
  return {
    now: () => nowMs,
    after,
    sleep: (delayMs, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve();
        const cancel = after(delayMs, resolve);
        signal?.addEventListener("abort", () => (cancel(), resolve()), { once: true });
      }),
    advance: (byMs) => {
      const untilMs = nowMs + byMs;
      for (;;) {
        const [next] = [...pending]
          .filter(({ atMs }) => atMs <= untilMs)
          .sort((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        pending.delete(next);
        nowMs = next.atMs;
        next.task();
      }
      nowMs = untilMs;
    },
  };
}
