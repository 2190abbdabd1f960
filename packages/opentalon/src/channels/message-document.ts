/**
 * Messages as JSON documents: the field names that channels outside of this program speak.
 */
import { isUtf8 } from "node:buffer";
import { ChannelError } from "../base/errors.ts";
import type { FileAttachment, InboundMessage, OutboundMessage } from "../domain/message.ts";

/** A message as a document tells it; the channel adds who it is. */
export interface InboundDocument extends Omit<
  InboundMessage,
  "channel" | "channelKind" | "platformMessageId" | "sentAtMs"
> {
  /** Empty when the document has no `id`. */
  readonly id: string;
  /** Empty when the document names no channel. */
  readonly channelId: string;
  /** Empty when the document names no kind. */
  readonly kind: string;
  /** `undefined` when the document has no `timestamp`. */
  readonly sentAtMs: number | undefined;
}

const maxFiles = 32;
const maxMetadataEntries = 128;

type Members = Readonly<Record<string, unknown>>;

/**
 * The JSON value of a document.
 * @throws ChannelError CHANNEL_REFUSED, in words for the sender.
 */
export function parseJsonDocument(bytes: Uint8Array): unknown {
  if (!isUtf8(bytes)) throw refuse("the body is not UTF-8");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw refuse("the body is not JSON");
  }
}

/**
 * An inbound message from its JSON value. Members it does not know are ignored, text is made well-formed.
 * @throws ChannelError CHANNEL_REFUSED, in words for the sender.
 */
export function parseInboundDocument(value: unknown): InboundDocument {
  const members = toMembers(value, "the message");
  const document: InboundDocument = {
    id: readText(members, "id"),
    channelId: readText(members, "channel_id"),
    kind: readText(members, "kind"),
    conversationId: readText(members, "conversation_id"),
    threadId: readText(members, "thread_id"),
    senderId: readText(members, "sender_id"),
    senderName: readText(members, "sender_name"),
    content: readText(members, "content"),
    files: readFiles(members),
    metadata: readMetadata(members),
    sentAtMs: readTime(members),
  };
  if (document.conversationId === "") throw refuse("`conversation_id` is missing");
  if (document.senderId === "") throw refuse("`sender_id` is missing");
  const { content, files, metadata } = document;
  if (content.trim() === "" && files.length === 0 && Object.keys(metadata).length === 0) {
    throw refuse("the message is empty: `content`, `files` or `metadata` must say something");
  }
  return document;
}

function toMembers(value: unknown, name: string): Members {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refuse(`${name} must be a JSON object`);
  }
  return value as Members;
}

/** Only members of the document itself: nothing is inherited. `null` counts as absent. */
function read(members: Members, name: string): unknown {
  return Object.hasOwn(members, name) ? (members[name] ?? undefined) : undefined;
}

function readText(members: Members, name: string): string {
  const value = read(members, name);
  if (value === undefined) return "";
  if (typeof value !== "string") throw refuse(`\`${name}\` must be a string`);
  return toCleanText(value);
}

/** NUL goes too: databases and processes take it for the end of the text. */
function toCleanText(text: string): string {
  const wellFormed = text.toWellFormed();
  return wellFormed.includes("\0") ? wellFormed.replaceAll("\0", "\uFFFD") : wellFormed;
}

function readMetadata(members: Members): Readonly<Record<string, string>> {
  const value = read(members, "metadata");
  if (value === undefined) return {};
  const entries = Object.entries(toMembers(value, "`metadata`"));
  if (entries.length > maxMetadataEntries) {
    throw refuse(`\`metadata\` has more than ${maxMetadataEntries} entries`);
  }
  return Object.fromEntries(
    entries.map(([key, text]) => {
      if (key in Object.prototype) throw refuse(`\`metadata\` may not have the key "${key}"`);
      if (typeof text !== "string") throw refuse("`metadata` may only have strings as values");
      return [toCleanText(key), toCleanText(text)];
    }),
  );
}

function readFiles(members: Members): readonly FileAttachment[] {
  const value = read(members, "files");
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw refuse("`files` must be an array");
  if (value.length > maxFiles) throw refuse(`a message carries at most ${maxFiles} files`);
  return value.map((file: unknown, index) => {
    const name = `files[${index}]`;
    const file_ = toMembers(file, `\`${name}\``);
    const data = readBase64(file_, name);
    const size = read(file_, "size");
    if (size !== undefined && size !== data.byteLength) {
      throw refuse(`\`${name}.size\` must be the number of bytes in its data, ${data.byteLength}`);
    }
    return { name: readText(file_, "name"), mimeType: readText(file_, "mime_type"), data };
  });
}

function readBase64(members: Members, name: string): Uint8Array {
  const value = read(members, "data");
  const isBase64 =
    typeof value === "string" && value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value);
  if (!isBase64) throw refuse(`\`${name}.data\` must be base64`);
  return Buffer.from(value, "base64");
}

function readTime(members: Members): number | undefined {
  const value = read(members, "timestamp");
  if (value === undefined || value === "") return undefined;
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i;
  const timeMs = typeof value === "string" && form.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(timeMs)) throw refuse("`timestamp` must be a time like 2026-01-31T12:00:00Z");
  // Some languages write the year 1 for a time that was never set.
  return timeMs < 0 ? undefined : timeMs;
}

/** An outbound message as JSON text; empty `files` and `metadata` are left out. */
export function toOutboundDocument(message: OutboundMessage): string {
  const { conversationId, threadId, content, files, metadata } = message;
  return JSON.stringify({
    conversation_id: conversationId,
    thread_id: threadId,
    content,
    files: files.length === 0 ? undefined : files.map(toFileDocument),
    metadata: Object.keys(metadata).length === 0 ? undefined : metadata,
  });
}

function toFileDocument({ name, mimeType, data }: FileAttachment): Members {
  const base64 = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  return { name, mime_type: mimeType, data: base64, size: data.byteLength };
}

function refuse(message: string): ChannelError {
  return new ChannelError("CHANNEL_REFUSED", message);
}
