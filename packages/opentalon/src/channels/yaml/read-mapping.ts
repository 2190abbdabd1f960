import type { Mapping, MetadataSource, Source } from "./definition.ts";
import type { DefinitionCursor } from "./definition-cursor.ts";
import { readCondition } from "./read-condition.ts";
import { readTexts } from "./read-request.ts";
import { parseTemplate } from "./template.ts";

/** What stands below `inbound.mapping`. */
export function readMapping(cursor: DefinitionCursor | undefined): Mapping {
  const source = (key: string): Source =>
    cursor === undefined ? noSource : readSource(cursor, key);
  const metadata = cursor?.map("metadata");
  return {
    conversationId: source("conversation_id"),
    senderId: source("sender_id"),
    senderName: source("sender_name"),
    content: source("content"),
    threadId: source("thread_id"),
    messageId: source("message_id"),
    timestamp: source("timestamp"),
    metadata: Object.fromEntries(
      (metadata?.keys() ?? []).map((key) => [key, readMetadataSource(metadata, key)]),
    ),
    files: cursor?.text("files") ?? "",
  };
}

const noSource: Source = {
  paths: [],
  template: undefined,
  when: undefined,
  fallbackWhen: undefined,
  values: {},
};

function readSource(cursor: DefinitionCursor, key: string): Source {
  const value = cursor.textOrMap(key);
  if (value === undefined) return noSource;
  if (typeof value === "string") return toSource([value]);
  const fallback = value.textOrTexts("fallback");
  const when = value.map("when");
  const fallbackWhen = value.map("fallback_when");
  return {
    ...toSource([value.text("field"), ...fallback].filter((path) => path !== "")),
    when: when && readCondition(when),
    fallbackWhen: fallbackWhen && readCondition(fallbackWhen),
    values: readTexts(value, "values"),
  };
}

function toSource(paths: readonly string[]): Source {
  const [only = ""] = paths;
  return only.includes("{{")
    ? { ...noSource, template: parseTemplate(only) }
    : { ...noSource, paths };
}

function readMetadataSource(cursor: DefinitionCursor | undefined, key: string): MetadataSource {
  const value = cursor?.textOrMap(key);
  if (cursor === undefined || value === undefined) return { kind: "source", source: noSource };
  if (typeof value === "string") return { kind: "source", source: toSource([value]) };
  const isCondition = ["equals", "contains", "not_empty", "one_of", "matches"].some(value.has);
  if (!isCondition) return { kind: "source", source: readSource(cursor, key) };
  const condition = readCondition(value);
  return { kind: "condition", condition, value: value.template("value") ?? parseTemplate("true") };
}
