import type { Clock } from "../../base/clock.ts";
import type { ModelCallLimits } from "../model-adapter.ts";

/** Watches one answer: that it begins, goes on and ends in time. */
export interface AnswerDeadline extends Disposable {
  /** Something came over the connection. */
  readonly sawLife: () => void;
  /** A piece of the answer came. */
  readonly sawToken: () => void;
}

export interface AnswerDeadlineOptions {
  readonly clock: Clock;
  readonly limits: ModelCallLimits;
  /** Told once, in words, when time is up. */
  readonly onTimeout: (what: string) => void;
}

/** Starts the watch: `firstTokenTimeoutMs` from now, `idleTimeoutMs` of silence after that, `totalTimeoutMs` in all. */
export function createAnswerDeadline({
  clock,
  limits,
  onTimeout,
}: AnswerDeadlineOptions): AnswerDeadline {
  const startedAtMs = clock.now();
  const endsAtMs = startedAtMs + limits.totalTimeoutMs;
  let lastSeenAtMs = startedAtMs;
  let hasToken = false;
  let isOver = false;
  let cancelTimer = (): void => undefined;

  const toDueMs = (): number => {
    const silenceEndsAtMs = hasToken
      ? lastSeenAtMs + limits.idleTimeoutMs
      : startedAtMs + limits.firstTokenTimeoutMs;
    return Math.min(silenceEndsAtMs, endsAtMs);
  };
  const wait = (): void => {
    cancelTimer = clock.after(Math.max(0, toDueMs() - clock.now()), check);
  };
  const check = (): void => {
    const nowMs = clock.now();
    if (nowMs < toDueMs()) wait();
    else if (nowMs >= endsAtMs) onTimeout("the answer took too long");
    else if (hasToken) onTimeout("the answer stopped half-way");
    else onTimeout(`no answer within ${limits.firstTokenTimeoutMs} ms`);
  };
  wait();
  return {
    sawLife: () => {
      lastSeenAtMs = clock.now();
    },
    sawToken: () => {
      if (hasToken || isOver) return;
      hasToken = true;
      // From here on another deadline holds, and it may be nearer.
      cancelTimer();
      wait();
    },
    [Symbol.dispose]: () => {
      isOver = true;
      cancelTimer();
    },
  };
}
