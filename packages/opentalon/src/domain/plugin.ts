import type { PluginFailureReason } from "../base/errors.ts";
import type { Secret } from "../base/secret.ts";
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
  /** Name the plugin is called by, where that is not its own: a server it is the bridge to. */
  readonly server?: string | undefined;
  readonly action: string;
  readonly arguments: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Headers that let the plugin's own requests run in the name of the person, by server name. */
  readonly credentialHeaders?: Readonly<Record<string, CredentialHeader>> | undefined;
  /**
   * Runs an action the plugin wants in the middle of this call. A refusal is a result with `error`. Rejects only when
   * `signal` aborts. Absent where callbacks are not taken.
   */
  readonly onCallback?:
    | ((request: CallbackRequest, signal: AbortSignal) => Promise<RawToolResult>)
    | undefined;
}

export interface CredentialHeader {
  readonly header: string;
  readonly value: Secret;
}

/** An action a plugin wants in the middle of a call, unchecked but for who wants it. */
export interface CallbackRequest {
  /** Key of the entry whose plugin asks, known from the connection it asked on. */
  readonly asker: string;
  readonly plugin: string;
  readonly action: string;
  readonly arguments: Readonly<Record<string, string>>;
}

export interface PluginCapabilities {
  /** Name the plugin reports; the configuration key when it reports none. */
  readonly name: string;
  readonly description: string;
  readonly tools: readonly Tool[];
  readonly systemPromptAddition: string;
  /** Its calls may ask for actions of other plugins. */
  readonly supportsCallbacks: boolean;
}

export type PluginState = "building" | "starting" | "ready" | "restarting" | "failed" | "stopped";

export interface PluginStatus {
  /** Key under `plugins:`. */
  readonly key: string;
  readonly name: string;
  readonly state: PluginState;
  /** Why it is not ready, in words for the operator; empty when ready. */
  readonly problem: string;
  /** How often it was started again. */
  readonly restarts: number;
  /** Since when it is in this state, in milliseconds since the epoch. */
  readonly sinceMs: number;
  /** Number of its process; absent while there is none, and for one that runs elsewhere. */
  readonly pid?: number | undefined;
  /** How many actions it offers. */
  readonly actions: number;
  /** Which version of its sources runs, where that is known. */
  readonly version?: string | undefined;
}

/** What became of the wish that a plugin be started again. */
export type ReloadOutcome =
  | { readonly kind: "reloaded" }
  /** `keptRunning`: the process that ran before still does. */
  | { readonly kind: "failed"; readonly problem: string; readonly keptRunning: boolean };

/** A call of a plugin that is over. */
export interface PluginCall {
  /** Key of the plugin. */
  readonly plugin: string;
  /** `error`: the plugin answered that its action failed; `cancelled`: its caller gave up. */
  readonly outcome: "ok" | "error" | "cancelled" | PluginFailureReason;
  readonly durationMs: number;
}
