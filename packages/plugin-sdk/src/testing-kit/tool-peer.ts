import type { pluginMessages as messages } from "@opentalon/protocol";
import type { Patience, Reply } from "./reply.ts";

/** One call of an action, as it goes over the wire. */
export interface WireCall extends Patience {
  readonly id: string;
  readonly plugin: string;
  readonly action: string;
  readonly args: Readonly<Record<string, string>>;
  readonly credentialHeaders?: Readonly<
    Record<string, { readonly header: string; readonly value: string }>
  >;
  /** Answers what the plugin wants of others meanwhile. Never rejects. */
  readonly onCallback?: (request: messages.CallbackRequest) => Promise<WireResult>;
}

export interface WireResult {
  readonly content: string;
  readonly error: string;
  readonly structuredContent: string;
}

export type WireAnswer = WireResult & { readonly callId: string };

/** Asks a tool plugin, on either wire. */
export interface ToolPeer {
  readonly wire: "grpc" | "json";
  readonly init: (configJson: string, patience: Patience) => Promise<Reply<unknown>>;
  readonly capabilities: (patience: Patience) => Promise<Reply<messages.PluginCapabilities>>;
  readonly refresh: (patience: Patience) => Promise<Reply<messages.PluginCapabilities>>;
  readonly call: (call: WireCall) => Promise<Reply<WireAnswer>>;
  /** The same over ExecuteBidi, for plugins that call back. */
  readonly callBidi: (call: WireCall) => Promise<Reply<WireAnswer>>;
  /** Drops the connection, whatever is under way. */
  readonly close: () => void;
}
