/**
 * Messages of the first wire generation of channels: length-prefixed JSON on the channel's one connection. The core
 * asks `capabilities`, `start` and `send`; each is answered by one frame, in order. After `start` the channel also sends
 * frames with `msg` whenever somebody writes.
 */

/** From the core to the channel. */
export type GenerationZeroChannelRequest =
  | { readonly method: "capabilities" | "start" }
  | { readonly method: "send"; readonly msg: GenerationZeroOutbound };

/** What is to be said, with the names of the wire; members that are empty are left out. */
export interface GenerationZeroOutbound {
  readonly conversation_id: string;
  readonly thread_id: string;
  readonly content: string;
  readonly files?: readonly {
    readonly name: string;
    readonly mime_type: string;
    /** Base64. */
    readonly data: string;
    readonly size: number;
  }[];
  readonly metadata?: Readonly<Record<string, string>>;
}

/** From the channel to the core: somebody wrote when `message` is there, otherwise the answer to the oldest request. */
export interface GenerationZeroChannelResponse {
  readonly error: string;
  readonly message: GenerationZeroInbound | undefined;
  readonly capabilities: GenerationZeroChannelCapabilities | undefined;
}

export interface GenerationZeroInbound {
  readonly channelId: string;
  readonly kind: string;
  readonly conversationId: string;
  readonly threadId: string;
  readonly senderId: string;
  readonly senderName: string;
  readonly content: string;
  readonly files: readonly {
    readonly name: string;
    readonly mimeType: string;
    readonly data: Uint8Array;
  }[];
  readonly metadata: Readonly<Record<string, string>>;
  /** As the channel wrote it; empty when it did not. */
  readonly timestamp: string;
}

export interface GenerationZeroChannelCapabilities {
  readonly id: string;
  readonly name: string;
  readonly threads: boolean;
  readonly files: boolean;
  readonly reactions: boolean;
  readonly edits: boolean;
  readonly maxMessageLength: number;
  readonly responseFormat: string;
  readonly responseFormatPrompt: string;
}

/**
 * Reads a frame as tolerantly as old channels need: what is missing or of another type counts as empty.
 * @throws TypeError when it is not an object at all.
 */
export function parseGenerationZeroChannelResponse(
  document: unknown,
): GenerationZeroChannelResponse {
  if (!isObject(document)) throw new TypeError("the channel's frame is not a JSON object");
  const { error, msg, caps } = document;
  return {
    error: toText(error),
    message: isObject(msg) ? parseInbound(msg) : undefined,
    capabilities: isObject(caps) ? parseCapabilities(caps) : undefined,
  };
}

function parseInbound(message: JsonObject): GenerationZeroInbound {
  const { metadata, files } = message;
  return {
    channelId: toText(message["channel_id"]),
    kind: toText(message["kind"]),
    conversationId: toText(message["conversation_id"]),
    threadId: toText(message["thread_id"]),
    senderId: toText(message["sender_id"]),
    senderName: toText(message["sender_name"]),
    content: toText(message["content"]),
    files: Array.isArray(files) ? files.filter(isObject).map(parseFile) : [],
    metadata: isObject(metadata)
      ? Object.fromEntries(
          Object.entries(metadata)
            .filter(([, value]) => typeof value === "string")
            .map(([key, value]) => [key.toWellFormed(), toText(value)]),
        )
      : {},
    timestamp: toText(message["timestamp"]),
  };
}

function parseFile(file: JsonObject): GenerationZeroInbound["files"][number] {
  const data = Buffer.from(toText(file["data"]), "base64");
  return { name: toText(file["name"]), mimeType: toText(file["mime_type"]), data };
}

function parseCapabilities(capabilities: JsonObject): GenerationZeroChannelCapabilities {
  const length = capabilities["max_message_length"];
  return {
    id: toText(capabilities["id"]),
    name: toText(capabilities["name"]),
    threads: capabilities["threads"] === true,
    files: capabilities["files"] === true,
    reactions: capabilities["reactions"] === true,
    edits: capabilities["edits"] === true,
    maxMessageLength: typeof length === "number" ? length : 0,
    responseFormat: toText(capabilities["response_format"]),
    responseFormatPrompt: toText(capabilities["response_format_prompt"]),
  };
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** JSON can escape half a surrogate pair, which no UTF-8 text can hold. */
function toText(value: unknown): string {
  return typeof value === "string" ? value.toWellFormed() : "";
}
