import type { Clock } from "../base/clock.ts";
import { toMessage } from "../base/errors.ts";

export interface DeadlineOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export type DeadlineOutcome<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "timed-out" };

/**
 * Runs `task` for at most `timeoutMs`, whether or not it heeds the signal it is given: that one aborts at the deadline
 * and together with `signal`. Rejects as `task` does, and with the reason of `signal` when that aborts first. What a
 * task does after it was given up on is ignored.
 */
export function withDeadline<T>(
  { clock, timeoutMs, signal }: DeadlineOptions,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<DeadlineOutcome<T>> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(toReason(signal));
    const controller = new AbortController();
    const settle = (finish: () => void): void => {
      cancelTimer();
      signal.removeEventListener("abort", onAbort);
      finish();
    };
    const onAbort = (): void => {
      controller.abort(signal.reason);
      settle(() => reject(toReason(signal)));
    };
    const cancelTimer = clock.after(timeoutMs, () => {
      controller.abort(new DOMException("the deadline passed", "TimeoutError"));
      settle(() => resolve({ kind: "timed-out" }));
    });
    signal.addEventListener("abort", onAbort, { once: true });
    Promise.resolve()
      .then(() => task(controller.signal))
      .then(
        (value) => settle(() => resolve({ kind: "done", value })),
        (error: unknown) =>
          settle(() => reject(error instanceof Error ? error : new Error(toMessage(error)))),
      );
  });
}

function toReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new DOMException("aborted", "AbortError");
}
