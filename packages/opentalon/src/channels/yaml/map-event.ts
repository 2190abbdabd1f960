import type { FileAttachment } from "../../domain/message.ts";
import { type ConditionContext, holds } from "./conditions.ts";
import type { Mapping, MetadataSource, Source } from "./definition.ts";
import { findField, toText } from "./field-path.ts";
import { renderText } from "./template.ts";

/** A message as the mapping of a definition makes it out of an event. */
export interface MappedEvent {
  readonly conversationId: string;
  readonly threadId: string;
  readonly senderId: string;
  readonly senderName: string;
  readonly content: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** As the mapping says; empty when it does not. */
  readonly messageId: string;
  readonly sentAtMs: number | undefined;
}

export function mapEvent(mapping: Mapping, context: ConditionContext): MappedEvent {
  const read = (source: Source): string => readSource(source, context);
  const metadata: Record<string, string> = {};
  for (const [key, source] of Object.entries(mapping.metadata)) {
    const value = readMetadata(source, context);
    if (value !== "") metadata[key] = value;
  }
  return {
    conversationId: read(mapping.conversationId),
    threadId: read(mapping.threadId),
    senderId: read(mapping.senderId),
    senderName: read(mapping.senderName).slice(0, 200),
    content: read(mapping.content),
    metadata,
    messageId: read(mapping.messageId),
    sentAtMs: toMoment(read(mapping.timestamp)),
  };
}

/** Only where the message stands, which no lookup has a say in: for keeping order before anything slow begins. */
export function readConversation(mapping: Mapping, context: ConditionContext): string {
  return readSource(mapping.conversationId, context);
}

function readSource(
  { paths, template, when, fallbackWhen, values }: Source,
  context: ConditionContext,
): string {
  if (when !== undefined && !holds(when, context)) return "";
  if (template !== undefined) return renderText(template, context.scope);
  for (const [index, path] of paths.entries()) {
    if (index === 1 && fallbackWhen !== undefined && !holds(fallbackWhen, context)) return "";
    const text = toText(findField(context.event, path));
    if (text !== "") return (Object.hasOwn(values, text) ? values[text] : undefined) ?? text;
  }
  return "";
}

function readMetadata(source: MetadataSource, context: ConditionContext): string {
  if (source.kind === "source") return readSource(source.source, context);
  return holds(source.condition, context) ? renderText(source.value, context.scope) : "";
}

/** Seconds or milliseconds since the epoch, or a date as text. */
function toMoment(text: string): number | undefined {
  if (text === "") return undefined;
  const amount = Number(text);
  const ms = Number.isFinite(amount) ? (amount < 1e11 ? amount * 1_000 : amount) : Date.parse(text);
  return Number.isFinite(ms) && ms > 0 ? Math.round(ms) : undefined;
}

export const maxFileBytes = 20 * 1024 * 1024;
const maxFiles = 10;

/** Files that lie in the event itself, base64 in the usual or the URL alphabet; what is none is left out. */
export function readInlineFiles(event: unknown, path: string): readonly FileAttachment[] {
  const list = path === "" ? undefined : findField(event, path);
  if (!Array.isArray(list)) return [];
  return list.slice(0, maxFiles).flatMap((item: unknown) => {
    const text = findField(item, "data");
    if (typeof text !== "string" || text === "" || !/^[\w+/=-]+$/.test(text)) return [];
    if (text.length > (maxFileBytes / 3) * 4 + 4) return [];
    const data = Buffer.from(text, "base64");
    const name = toText(findField(item, "name")) || "file";
    const mimeType = toText(findField(item, "mime_type")) || "application/octet-stream";
    return [{ name: name.slice(0, 255), mimeType: mimeType.slice(0, 255), data }];
  });
}
