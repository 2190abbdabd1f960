import { createHash } from "node:crypto";
import type { InboundMessage, OutboundMessage } from "../../domain/message.ts";
import type { WireMessage } from "./channel-wire.ts";

/** Where in the life of a channel a message came. */
export interface Origin {
  /** Kind of the platform as the channel reports it. */
  readonly kind: string;
  /** Names the connection; another one after each start. */
  readonly connection: string;
  /** Counts the messages of the connection. */
  readonly sequence: number;
  readonly nowMs: number;
}

/** Names under which channels tell a platform's own identifier of a message; the first one counts. */
const identityNames = ["message_id", "ts", "id", "event_id"] as const;
/** What longer stages take, see `inbound/accept-message.ts`. */
const maxIdentityLength = 512;
const maxMetadataEntries = 128;
const derivedPrefix = "derived:";

/**
 * A message of a channel program as the rest of the program takes it. Its identity is the platform's, inside its
 * conversation, since many platforms number messages by chat; a message without one gets an identity that is made of
 * all it is, and of when it came.
 */
export function toInboundMessage(
  message: WireMessage,
  origin: Origin,
): Omit<InboundMessage, "channel"> {
  const { conversationId, threadId, senderId, senderName, content, files } = message;
  return {
    channelKind: clean(toKind(message, origin)),
    platformMessageId: toIdentity(message, origin),
    conversationId: clean(conversationId),
    threadId: clean(threadId),
    senderId: clean(senderId),
    senderName: clean(senderName),
    content: clean(content),
    files: files.map(({ name, mimeType, data }) => ({
      name: clean(name),
      mimeType: clean(mimeType),
      data,
    })),
    metadata: toMetadata(message.metadata),
    sentAtMs: message.sentAtMs ?? origin.nowMs,
  };
}

/** The same outbound message with the identity the platform knows, where it knows one. */
export function withPlatformIdentity(message: OutboundMessage): OutboundMessage {
  const { in_reply_to: identity, ...rest } = message.metadata;
  if (identity === undefined) return message;
  if (identity.startsWith(derivedPrefix)) return { ...message, metadata: rest };
  const prefix = `${message.conversationId}:`;
  const own = identity.startsWith(prefix) ? identity.slice(prefix.length) : identity;
  return { ...message, metadata: { ...message.metadata, in_reply_to: own } };
}

function toKind({ kind, channelId }: WireMessage, origin: Origin): string {
  const isName = (name: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$/.test(name);
  return [kind, channelId, origin.kind].find(isName) ?? "channel";
}

function toIdentity(message: WireMessage, origin: Origin): string {
  const { conversationId, threadId, senderId, content, timestamp, metadata } = message;
  const name = identityNames.find((each) => (metadata[each] ?? "") !== "");
  if (name !== undefined) {
    const identity = clean(`${conversationId}:${metadata[name]}`);
    if (identity.length <= maxIdentityLength) return identity;
    return `${derivedPrefix}${toHash([conversationId, metadata[name] ?? ""])}`;
  }
  // Without a time, the same words on another connection would be taken for the same message.
  const when = timestamp === "" ? origin.connection : timestamp;
  const parts = [conversationId, threadId, senderId, when, content, String(origin.sequence)];
  return `${derivedPrefix}${toHash(parts)}`;
}

function toHash(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

function toMetadata(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = Object.entries(metadata)
    .filter(([key]) => !(key in Object.prototype))
    .slice(0, maxMetadataEntries);
  return Object.fromEntries(entries.map(([key, value]) => [clean(key), clean(value)]));
}

/** NUL goes too: databases and processes take it for the end of the text. */
function clean(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\uFFFD");
}
