import { untilAborted as settleUntilAborted } from "../base/deadline.ts";
import { PluginError } from "../base/errors.ts";

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

/** Settles like `promise`, or rejects with a `PluginError` as soon as `signal` aborts. */
export function untilAborted<T>(
  plugin: string,
  signal: AbortSignal,
  promise: Promise<T>,
): Promise<T> {
  return settleUntilAborted(signal, promise, () => toAbortError(plugin, signal));
}
