import type { PluginError } from "../base/errors.ts";
import type { Execution, RawToolResult } from "../domain/plugin.ts";
import type { ReportedCapabilities } from "./to-capabilities.ts";

/**
 * A conversation with one running plugin, whatever wire generation it speaks. A new one is made for each process.
 *
 * Every method rejects with `PluginError` only, and at the latest when its signal aborts: with the signal's reason when
 * that is a `PluginError`, otherwise with "timed-out" or "unavailable". Texts that come back are well-formed.
 */
export interface PluginClient {
  /**
   * Delivers the configuration, a JSON object as text; to be called first. Resolves without doing anything for plugins
   * that take none.
   */
  readonly init: (configJson: string, signal: AbortSignal) => Promise<void>;
  /** What the plugin says of itself, unchecked. */
  readonly capabilities: (signal: AbortSignal) => Promise<ReportedCapabilities>;
  /** Asks for a sign of life. Rejects when there is none, or when the plugin says that it cannot work. */
  readonly check: (signal: AbortSignal) => Promise<void>;
  /** What the plugin can do by now, unchecked; `undefined` when it has no way to say so. */
  readonly refresh: (signal: AbortSignal) => Promise<ReportedCapabilities | undefined>;
  /**
   * Runs one action; several at once are fine. An action that failed is a result with `error`. Its own `timeoutMs` and
   * `signal` end it, and tell the plugin where the wire can.
   */
  readonly execute: (execution: Execution, pluginName: string) => Promise<RawToolResult>;
  /**
   * The same for plugins that report `supportsCallbacks`: meanwhile the plugin may have other actions run, by the
   * execution's `onCallback`. Absent on a wire that has no such thing.
   */
  readonly executeWithCallbacks?:
    | ((execution: Execution, pluginName: string) => Promise<RawToolResult>)
    | undefined;
  /** Calls under way and all later ones reject with `error`. */
  readonly end: (error: PluginError) => void;
  /** Ends the connection; calls under way reject. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export interface PluginClientOptions {
  /** Key of the entry, for messages. */
  readonly plugin: string;
  /** Longest message taken from the plugin, in bytes. */
  readonly maxMessageBytes: number;
}
