import { setTimeout as sleepUntil } from "node:timers/promises";
import { isPassing, MatrixError } from "./matrix-error.ts";

/** Time, so that tests can have their own. */
export interface Clock {
  readonly nowMs: () => number;
  /** Resolves after the time, and at once when the signal aborts. */
  readonly sleep: (durationMs: number, signal: AbortSignal) => Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (durationMs, signal) =>
    sleepUntil(durationMs, undefined, { signal }).catch(() => undefined),
};

const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** A homeserver that asks for more patience is asked again anyway. */
const longestAskedMs = 600_000;

/** Pauses between attempts: growing, and at least as long as the homeserver asked for. */
export function createPauses(): (error: unknown) => number {
  let nextMs = firstPauseMs;
  return (error) => {
    const askedMs = error instanceof MatrixError ? (error.retryAfterMs ?? 0) : 0;
    const pauseMs = Math.max(nextMs, Math.min(askedMs, longestAskedMs));
    nextMs = Math.min(nextMs * 2, longestPauseMs);
    return pauseMs;
  };
}

export interface PatienceOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** All attempts and pauses together; no limit unless said. */
  readonly withinMs?: number;
  /** Told before each pause. */
  readonly onRetry?: (error: unknown, pauseMs: number) => void;
}

/**
 * Repeats a request that can be repeated while the homeserver is away, in trouble or asks for patience.
 * @throws what the last attempt threw.
 */
export async function withPatience<Value>(
  { clock, signal, withinMs = Number.POSITIVE_INFINITY, onRetry }: PatienceOptions,
  task: () => Promise<Value>,
): Promise<Value> {
  const endMs = clock.nowMs() + withinMs;
  const toPauseMs = createPauses();
  for (;;) {
    try {
      return await task();
    } catch (error) {
      if (signal.aborted || !isPassing(error)) throw error;
      const pauseMs = toPauseMs(error);
      if (clock.nowMs() + pauseMs > endMs) throw error;
      onRetry?.(error, pauseMs);
      await clock.sleep(pauseMs, signal);
      if (signal.aborted) throw error;
    }
  }
}
