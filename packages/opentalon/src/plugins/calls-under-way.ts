import type { Clock } from "../base/clock.ts";

/** The calls a running plugin works on, and when it last gave a sign of life. */
export interface CallsUnderWay {
  readonly count: () => number;
  /** When the last of them has to be answered, in milliseconds since the epoch; 0 when there is none. */
  readonly busyUntilMs: () => number;
  /** When the plugin last answered one; 0 when it never did. */
  readonly lastAnswerAtMs: () => number;
  /** Resolves when there is none. */
  readonly idle: () => Promise<void>;
  /** Counts a call until it settles, however it does. */
  readonly track: <T>(timeoutMs: number, call: () => Promise<T>) => Promise<T>;
}

export function createCallsUnderWay(clock: Clock): CallsUnderWay {
  const deadlines = new Set<{ readonly atMs: number }>();
  let lastAnswerAtMs = 0;
  let onIdle: (() => void)[] = [];
  return {
    count: () => deadlines.size,
    busyUntilMs: () => Math.max(0, ...Array.from(deadlines, ({ atMs }) => atMs)),
    lastAnswerAtMs: () => lastAnswerAtMs,
    idle: () =>
      deadlines.size === 0 ? Promise.resolve() : new Promise((resolve) => onIdle.push(resolve)),
    track: async (timeoutMs, call) => {
      const deadline = { atMs: clock.now() + timeoutMs };
      deadlines.add(deadline);
      try {
        const answer = await call();
        lastAnswerAtMs = clock.now();
        return answer;
      } finally {
        deadlines.delete(deadline);
        if (deadlines.size === 0) {
          for (const resolve of onIdle) resolve();
          onIdle = [];
        }
      }
    },
  };
}
