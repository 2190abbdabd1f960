/** A file that travels with a message. */
export interface FileAttachment {
  readonly name: string;
  readonly mimeType: string;
  readonly data: Uint8Array;
}

/** What a channel hands in: one message of one person. */
export interface InboundMessage {
  /** Instance name: the key under `channels:`. */
  readonly channel: string;
  /** Kind of platform (`console`, `slack`, …); hooks and prompts may depend on it. */
  readonly channelKind: string;
  /** The platform's own identifier of the message: with `channel` its identity, for ever. */
  readonly platformMessageId: string;
  readonly conversationId: string;
  /** Empty when the conversation has no threads. */
  readonly threadId: string;
  readonly senderId: string;
  readonly senderName: string;
  readonly content: string;
  readonly files: readonly FileAttachment[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch, by the platform's clock where it tells. */
  readonly sentAtMs: number;
}

/** What a channel is given to deliver. */
export interface OutboundMessage {
  readonly channel: string;
  readonly conversationId: string;
  readonly threadId: string;
  /** Markdown, unless it `isFormatted`. */
  readonly content: string;
  readonly files: readonly FileAttachment[];
  readonly metadata: Readonly<Record<string, string>>;
  /** `content` is in the format of its platform already, see `ChannelCapabilities.responseFormat`. */
  readonly isFormatted?: boolean;
}
