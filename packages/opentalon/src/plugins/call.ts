import type { Clock } from "../base/clock.ts";
import { createDeadline, type Deadline } from "../base/deadline.ts";
import { formatDuration } from "../base/duration.ts";
import { PluginError } from "../base/errors.ts";
import type { Execution, RawToolResult } from "../domain/plugin.ts";

/** The deadline of one call: its timeout, or its caller giving up. */
export function createCallDeadline(plugin: string, execution: Execution, clock: Clock): Deadline {
  const { timeoutMs, signal } = execution;
  const toError = (): PluginError => toTimeoutError(plugin, execution);
  return createDeadline({ clock, timeoutMs, signal, toError });
}

/** What is said of a call whose time is up. */
export function toTimeoutError(plugin: string, { action, timeoutMs }: Execution): PluginError {
  const problem = `the plugin "${plugin}" did not answer "${action}" within ${formatDuration(timeoutMs)}`;
  return new PluginError(plugin, "timed-out", problem);
}

/**
 * The result of a call, once it is certain that it belongs to that call. Some plugins forget the identifier in errors.
 * @throws PluginError "protocol-violated"
 */
export function toCheckedResult(
  plugin: string,
  { action, callId }: Execution,
  result: RawToolResult & { readonly callId: string },
): RawToolResult {
  const { content, error, structuredContent } = result;
  if (result.callId === callId || (result.callId === "" && error !== ""))
    return { content, error, structuredContent };
  throw new PluginError(
    plugin,
    "protocol-violated",
    `the plugin "${plugin}" answered "${action}" with the identifier of another call`,
  );
}
