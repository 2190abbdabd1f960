import type { Clock } from "../base/clock.ts";
import { PluginError } from "../base/errors.ts";

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
  readonly toError: () => PluginError;
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

/** Why a call was given up, as the error its caller gets. */
export function toAbortError(plugin: string, signal: AbortSignal): PluginError {
  const reason: unknown = signal.reason;
  if (reason instanceof PluginError) return reason;
  if (reason instanceof Error && reason.name === "TimeoutError") {
    return new PluginError(plugin, "timed-out", `the plugin "${plugin}" did not answer in time`, {
      cause: reason,
    });
  }
  return new PluginError(
    plugin,
    "unavailable",
    `the call of the plugin "${plugin}" was cancelled`,
    { cause: reason },
  );
}

/** Settles like `promise`, or rejects as soon as `signal` aborts. */
export function untilAborted<T>(
  plugin: string,
  signal: AbortSignal,
  promise: Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(toAbortError(plugin, signal));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
