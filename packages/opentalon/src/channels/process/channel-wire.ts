import type { ChannelCapabilities, ChannelTool, SentMessage } from "../../domain/channel.ts";
import type { InboundMessage, OutboundMessage } from "../../domain/message.ts";

/** What a channel says of itself. */
export interface ReportedChannel {
  /** Kind of the platform. */
  readonly id: string;
  readonly name: string;
  readonly capabilities: ChannelCapabilities;
  /** It shows answers while they grow. */
  readonly liveUpdates: boolean;
  /** It shows that an answer is being written. */
  readonly typing: boolean;
  /** See `Channel.knowsRepeats`. */
  readonly knowsRepeats: boolean;
}

/** What somebody wrote, as it came. */
export interface WireMessage extends Omit<
  InboundMessage,
  "channel" | "channelKind" | "platformMessageId" | "sentAtMs"
> {
  readonly channelId: string;
  readonly kind: string;
  /** When it was written, as exactly as the channel told; empty when it did not. */
  readonly timestamp: string;
  readonly sentAtMs: number | undefined;
}

/**
 * Takes a message; nothing more is read before it resolves. `false` when it was left: it is neither on disk nor dealt with
 * otherwise. Must not reject.
 */
export type TakeMessage = (message: WireMessage) => Promise<boolean>;

/** The host's end of one connection to a channel program, whatever that speaks. */
export interface ChannelWire {
  /** Rejects with `PluginError`, like the next two. */
  readonly capabilities: (signal: AbortSignal) => Promise<ReportedChannel>;
  /** A channel that cannot be configured is left as it is. */
  readonly configure: (
    config: Readonly<Record<string, unknown>>,
    instanceId: string,
    signal: AbortSignal,
  ) => Promise<void>;
  readonly tools: (signal: AbortSignal) => Promise<readonly ChannelTool[]>;
  /**
   * Begins to listen and hands over what people write, one message after the other. Resolves when the channel ended its
   * stream, rejects with `PluginError` when it broke, and not before the last message was taken.
   */
  readonly receive: (take: TakeMessage) => Promise<void>;
  /** Rejects with `DeliveryError` only. */
  readonly send: (message: OutboundMessage, deliveryId: string) => Promise<SentMessage>;
  /** Whether it still answers; absent where asking could disturb it. */
  readonly check?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Ends what is under way, for this reason. */
  readonly close: (reason: Error) => void;
}
