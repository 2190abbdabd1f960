import type { OutboundMessage } from "../../domain/message.ts";
import { withoutClosing } from "../split-message.ts";
import { findFileRules } from "./find-file-rules.ts";
import type { FileRule } from "./definition.ts";

/**
 * The messages of a reply, each with one file at most: the texts, then the files in their order. A text that fits below
 * the first file goes out with it.
 */
export function splitFiles(
  texts: readonly OutboundMessage[],
  rules: readonly FileRule[],
): readonly OutboundMessage[] {
  const last = texts.at(-1);
  if (last === undefined || last.files.length === 0) return texts;
  const { files, content } = last;
  const bare = { ...last, content: "", metadata: withoutClosing(last.metadata) };
  const ofFiles = files.map((file) => ({ ...bare, files: [file] }));
  if (content.trim() === "") return [...texts.slice(0, -1), ...ofFiles];
  const [first] = files;
  if (first !== undefined && isCaption(last, findFileRules(rules, first)[0])) {
    return [...texts.slice(0, -1), { ...last, files: [first] }, ...ofFiles.slice(1)];
  }
  return [...texts.slice(0, -1), { ...last, files: [] }, ...ofFiles];
}

/** Whether the text of a message can stand below its file. A question needs its buttons. */
export function isCaption(
  { content, metadata }: Pick<OutboundMessage, "content" | "metadata">,
  rule: FileRule | undefined,
): boolean {
  if (rule === undefined || metadata["type"] === "confirmation") return false;
  return content.length <= rule.captionLength;
}
