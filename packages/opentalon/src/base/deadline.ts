import type { Clock } from "./clock.ts";
import { toMessage } from "./errors.ts";

/** A signal that aborts when time is up or when another signal does; its reason is an error fit to be thrown. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Forgets the timer and the other signal. */
  readonly [Symbol.dispose]: () => void;
}

export interface DeadlineOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Aborts the deadline early, with its own reason. */
  readonly signal?: AbortSignal | undefined;
  /** The reason when time is up. */
  readonly toError: () => Error;
}

export function createDeadline({ clock, timeoutMs, signal, toError }: DeadlineOptions): Deadline {
  const controller = new AbortController();
  const cancelTimer = clock.after(timeoutMs, () => controller.abort(toError()));
  const follow = (): void => controller.abort(signal?.reason);
  if (signal?.aborted === true) follow();
  else signal?.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      cancelTimer();
      signal?.removeEventListener("abort", follow);
    },
  };
}

/** Settles like `pending`, or rejects as soon as `signal` aborts: with its reason, or what `toError` makes of it. */
export function untilAborted<T>(
  signal: AbortSignal,
  pending: Promise<T>,
  toError: (signal: AbortSignal) => Error = toReason,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(toError(signal));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    pending.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

export interface TaskLimits {
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
export async function withDeadline<T>(
  { clock, timeoutMs, signal }: TaskLimits,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<DeadlineOutcome<T>> {
  if (signal.aborted) throw toReason(signal);
  const timeIsUp = new DOMException("the deadline passed", "TimeoutError");
  using deadline = createDeadline({ clock, timeoutMs, signal, toError: () => timeIsUp });
  try {
    const pending = Promise.resolve().then(() => task(deadline.signal));
    return { kind: "done", value: await untilAborted(deadline.signal, pending) };
  } catch (error) {
    if (error === timeIsUp) return { kind: "timed-out" };
    throw error instanceof Error ? error : new Error(toMessage(error));
  }
}

function toReason({ reason }: AbortSignal): Error {
  return reason instanceof Error ? reason : new DOMException("aborted", "AbortError");
}
