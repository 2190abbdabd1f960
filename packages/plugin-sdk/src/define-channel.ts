/** What the author of a channel writes down: what the platform can do, how it is listened to, how something is said there. */

/** What a platform can do. What is left out it cannot. */
export interface ChannelAbilities {
  readonly threads?: boolean;
  /** It takes files. */
  readonly files?: boolean;
  readonly reactions?: boolean;
  /** It lets sent messages be changed. */
  readonly edits?: boolean;
  /**
   * It shows answers while they grow: `send` is then also given what there is so far, at most once a second, with `_live`
   * (which answer) and `_live_state: "partial"` in the metadata. Each replaces the one before; the answer itself has the same
   * `_live` and `_live_state: "final"`. One whose `_live` is not known, as after a restart, is a new message.
   */
  readonly liveUpdates?: boolean;
  /**
   * A `deliveryId` that was delivered before is recognised, also after a restart, and shown once. Then a message of which
   * nobody knows whether it arrived is sent again.
   */
  readonly knowsRepeats?: boolean;
  /** Longest message in characters. Longer answers arrive in parts. No limit unless said. */
  readonly maxMessageLength?: number;
  /**
   * How texts are written there: Markdown is turned into it. `telegram` is HTML as Telegram knows it. Without one, and with
   * `markdown`, texts come as Markdown.
   */
  readonly responseFormat?:
    | "text"
    | "markdown"
    | "slack"
    | "html"
    | "telegram"
    | "teams"
    | "whatsapp"
    | "discord";
  /** What a model has to be told about it, in 500 characters at most. Its answers are then left as they are. */
  readonly responseFormatPrompt?: string;
}

/** A file that came with a message, or goes with one. */
export interface ChannelFile {
  /** Without folders. May be empty. */
  readonly name: string;
  /** Such as `image/png`. */
  readonly mimeType: string;
  readonly data: Uint8Array;
}

/** Something a person wrote. */
export interface IncomingMessage {
  /** The platform's identifier of the room, chat or person talked to. */
  readonly conversationId: string;
  /** The platform's identifier of the person. */
  readonly senderId: string;
  readonly content: string;
  /**
   * The platform's own identifier of the message. A message that comes twice under one identifier is answered once, also
   * after a restart. Travels as `metadata.message_id`.
   */
  readonly messageId?: string;
  /** The thread inside the conversation. */
  readonly threadId?: string;
  /** For people to read. */
  readonly senderName?: string;
  readonly files?: readonly ChannelFile[];
  /** Further facts by name. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** When it was written, by the platform's clock; now unless said. */
  readonly sentAt?: Date;
}

/** Where something is said. */
export interface ChannelPlace {
  /** As in the message that is answered. */
  readonly conversationId: string;
  /** Empty outside threads. */
  readonly threadId: string;
}

/** Something OpenTalon says. */
export interface OutgoingMessage extends ChannelPlace {
  /** Names this delivery; the same whenever it is tried again. Empty when the host does not tell. */
  readonly deliveryId: string;
  readonly content: string;
  readonly files: readonly ChannelFile[];
  /** Further facts by name, such as `type` and `error_code`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a message became on the platform. */
export interface PostedMessage {
  /** The platform's identifiers, the one people react to first. A reaction names one of them in `metadata.reaction_to`. */
  readonly messageIds: readonly string[];
}

/** Thrown by `send` when nobody knows whether the platform has the message; anything else that is thrown says it has not. */
export class UnknownDeliveryError extends Error {
  override readonly name = "UnknownDeliveryError";
}

/** What `start` is given. */
export interface ChannelContext {
  /**
   * Hands a message over; resolves once it is on disk and need not be handed over again, or, with a host that does not tell,
   * when the next one may come. Wait for it, so that a flood of messages waits on the platform instead of filling the
   * memory. Messages arrive in the order of the calls. Files that are too large for one message (32 MiB) are left out, and
   * the text says so.
   * @throws Error when the channel is being stopped: hand the message over again after the next start; or when the text
   * alone is too long for a message.
   */
  readonly receive: (message: IncomingMessage) => Promise<void>;
  /** Resolves when the channel has to stop. */
  readonly stopped: Promise<void>;
  /** Aborts when the channel has to stop. */
  readonly signal: AbortSignal;
  /** Which channel this is when a platform is joined more than once; empty when the host does not say. */
  readonly instanceId: string;
}

/** An HTTP request to the platform that a model may make, as a template: `{{env.NAME}}` and `{{args.NAME}}` are filled in. */
export interface ChannelTool {
  /** What the action is called: letters, digits, `_` and `-`. */
  readonly action: string;
  /** What it does and when to use it, written for a model. */
  readonly description: string;
  /** HTTP method. */
  readonly method: string;
  readonly url: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly parameters?: Readonly<
    Record<string, string | { readonly description: string; readonly required?: boolean }>
  >;
  /** Environment variables without which the request makes no sense. */
  readonly requiredEnvironment?: readonly string[];
  /** Name of the tool the action belongs to; the channel's unless said. */
  readonly tool?: string;
  /** What the tool is for. */
  readonly toolDescription?: string;
}

export interface ChannelDefinition {
  /** Kind of the platform, such as `slack`: letters, digits, `_` and `-`. */
  readonly id: string;
  /** Its name, for people to read. */
  readonly name: string;
  readonly capabilities?: ChannelAbilities;
  /**
   * Takes the `config` of the channel's entry, `{}` when there is none, and the key of the entry; called before `start`. A
   * throw refuses the configuration: the channel does not start and the operator reads the message.
   */
  readonly onConfigure?: (
    config: Readonly<Record<string, unknown>>,
    instanceId: string,
  ) => void | Promise<void>;
  /**
   * Listens to the platform for as long as it runs: where it returns, the channel ends, and the process with it once it is
   * told to stop. Release here what was opened, after `await stopped`. What it throws ends the channel as a failure. The host
   * may start the channel again in the same process; never twice at once.
   */
  readonly start: (context: ChannelContext) => void | Promise<void>;
  /**
   * Says something on the platform; resolves once the platform has it, best with what it became there. Several may be under
   * way at once. What it throws is a failed delivery, with its message for the operator; it is tried again, unless it is an
   * `UnknownDeliveryError`.
   */
  readonly send: (
    message: OutgoingMessage,
    context: { readonly signal: AbortSignal },
  ) => void | PostedMessage | Promise<void | PostedMessage>;
  /** Shows that an answer is being written; called every 25 seconds or so until it is there. */
  readonly typing?: (place: ChannelPlace) => void | Promise<void>;
  /** Requests to the platform a model may make. */
  readonly tools?: readonly ChannelTool[];
}

/**
 * Refuses what no host would take.
 * @throws Error that names the member.
 */
export function checkChannelDefinition(channel: ChannelDefinition): void {
  if (!/^[a-zA-Z0-9_-]{1,64}$/.test(channel.id)) {
    throw new Error(
      `the channel's \`id\` needs 1 to 64 letters, digits, "_" or "-": ${JSON.stringify(channel.id)}`,
    );
  }
  for (const member of ["start", "send"] as const) {
    if (typeof channel[member] !== "function")
      throw new Error(`the channel ${channel.id} needs a function \`${member}\``);
  }
  const { maxMessageLength = 0 } = channel.capabilities ?? {};
  if (!Number.isSafeInteger(maxMessageLength) || maxMessageLength < 0)
    throw new Error(`\`maxMessageLength\` of the channel ${channel.id} must be a whole number`);
}
