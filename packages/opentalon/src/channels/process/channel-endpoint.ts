import type { PluginAddress } from "../../plugins/plugin-address.ts";
import type { RemoteAccess } from "../../plugins/remote-access.ts";

/** A channel that listens: a process of ours, a container of ours, or one that runs elsewhere. */
export interface ChannelEndpoint {
  readonly address: PluginAddress;
  /** For one that runs elsewhere. */
  readonly access?: RemoteAccess | undefined;
  /** Aborts, with an error as reason, when it has ended. */
  readonly gone: AbortSignal;
  /** How its process ended by itself; absent for what is no process of ours. */
  readonly exitCode?: (() => number | undefined) | undefined;
  /** Ends it, when it is ours. Never rejects. */
  readonly stop: () => Promise<void>;
}

/**
 * Starts the channel once and waits until it listens; gives up when the signal aborts.
 * Rejects in words for the operator; nothing of it is left then.
 */
export type OpenChannelEndpoint = (signal: AbortSignal) => Promise<ChannelEndpoint>;
