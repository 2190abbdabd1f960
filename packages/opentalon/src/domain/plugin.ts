import type { Tool } from "./tool.ts";

/** What a plugin answered to one execution, before the guard has seen it. */
export interface RawToolResult {
  readonly content: string;
  readonly error: string;
  /** JSON text, or empty. */
  readonly structuredContent: string;
}

export interface Execution {
  readonly callId: string;
  readonly action: string;
  readonly arguments: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

export interface PluginCapabilities {
  /** Name the plugin reports; the configuration key when it reports none. */
  readonly name: string;
  readonly description: string;
  readonly tools: readonly Tool[];
  readonly systemPromptAddition: string;
}

export type PluginState = "starting" | "ready" | "restarting" | "failed" | "stopped";

export interface PluginStatus {
  /** Key under `plugins:`. */
  readonly key: string;
  readonly name: string;
  readonly state: PluginState;
  /** Why it is not ready, in words for the operator; empty when ready. */
  readonly problem: string;
  readonly restarts: number;
}
