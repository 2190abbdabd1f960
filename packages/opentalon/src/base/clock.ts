/** Time as a dependency, so that tests own it. A delay beyond 24 days is cut to that. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Runs `task` once after `delayMs`; the returned function cancels it. Does not keep the process alive. */
  readonly after: (delayMs: number, task: () => void) => () => void;
  /** Resolves after `delayMs`, or at once when `signal` aborts (never rejects). */
  readonly sleep: (delayMs: number, signal?: AbortSignal) => Promise<void>;
}

/** What a timer of the platform takes; it runs at once when it is told more. */
const longestDelayMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, task) => {
    const timer = setTimeout(task, Math.min(delayMs, longestDelayMs));
    timer.unref();
    return () => clearTimeout(timer);
  },
  sleep: (delayMs, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", finish);
        resolve();
      };
      const timer = setTimeout(finish, Math.min(delayMs, longestDelayMs));
      signal?.addEventListener("abort", finish, { once: true });
    }),
};

/** A clock that stands still until the test moves it. */
export interface ManualClock extends Clock {
  /** Moves time forward and runs what became due, in order. */
  readonly advance: (byMs: number) => void;
}

export function createManualClock(startMs = 1_700_000_000_000): ManualClock {
  let nowMs = startMs;
  const pending: { atMs: number; task: () => void }[] = [];
  const after = (delayMs: number, task: () => void): (() => void) => {
    const entry = { atMs: nowMs + delayMs, task };
    pending.push(entry);
    return () => {
      const index = pending.indexOf(entry);
      if (index >= 0) pending.splice(index, 1);
    };
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
        const next = pending
          .filter((entry) => entry.atMs <= untilMs)
          .sort((a, b) => a.atMs - b.atMs)[0];
        if (next === undefined) break;
        pending.splice(pending.indexOf(next), 1);
        nowMs = Math.max(nowMs, next.atMs);
        next.task();
      }
      nowMs = untilMs;
    },
  };
}
