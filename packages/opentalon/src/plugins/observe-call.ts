import type { Clock } from "../base/clock.ts";
import { PluginError } from "../base/errors.ts";
import type { Execution, PluginCall, RawToolResult } from "../domain/plugin.ts";

/** Runs one call and tells what became of it. */
export async function observeCall(
  plugin: string,
  execution: Execution,
  execute: (execution: Execution) => Promise<RawToolResult>,
  { clock, onCall }: { readonly clock: Clock; readonly onCall: (call: PluginCall) => void },
): Promise<RawToolResult> {
  const startedAtMs = clock.now();
  const tell = (outcome: PluginCall["outcome"]): void =>
    onCall({ plugin, outcome, durationMs: clock.now() - startedAtMs });
  try {
    const result = await execute(execution);
    tell(result.error === "" ? "ok" : "error");
    return result;
  } catch (error) {
    const reason = error instanceof PluginError ? error.reason : "protocol-violated";
    tell(execution.signal.aborted ? "cancelled" : reason);
    throw error;
  }
}
