import { splitReply } from "../split-reply.ts";
import { chatStyles, escapeHtml } from "./chat-style.ts";
import { closeOpenMarks } from "./close-open-marks.ts";
import { packPieces } from "./pack-pieces.ts";
import { toPieces } from "./pieces.ts";
import { readHtml, toTextOfHtml } from "./read-html.ts";
import { writeHtml } from "./write-html.ts";
import { writeMarkdown } from "./write-markdown.ts";

/** Longer texts are taken in bits of that size, so that the time stays bounded. */
const mostAtOnce = 20_000;

/** Whether Markdown is turned into this format; `markdown` and names nobody knows stand for Markdown as it is. */
export function isFormat(format: string): boolean {
  return format === "html" || Object.hasOwn(chatStyles, format);
}

/**
 * Gets: Markdown, and the format of a platform (`slack`, `telegram`, …). Gives: the same in that format, in messages of at
 * most `maxLength` UTF-16 units (0 = one), each of them whole: tags, marks and code blocks that a cut goes through are
 * closed and opened again. Never: throws, or lets the text say anything to the platform but words.
 */
export function formatText(markdown: string, format: string, maxLength = 0): readonly string[] {
  const text = markdown.toWellFormed();
  const pieces = splitReply(text, mostAtOnce).flatMap((part) => {
    const style = Object.hasOwn(chatStyles, format) ? chatStyles[format] : undefined;
    if (style !== undefined) return [packPieces(writeMarkdown(part, style), maxLength)];
    if (format !== "html") return [splitReply(part, maxLength)];
    const html = writeHtml(part);
    return [
      maxLength > 0 && html.length > maxLength ? packPieces(readHtml(html), maxLength) : [html],
    ];
  });
  const parts = pieces.flat().filter((part) => part.trim() !== "");
  // Marks without anything between them are shown as they are: a message is never lost.
  if (parts.length === 0) return [text.trim() === "" ? "" : escapeText(text, format, maxLength)];
  return maxLength > 0 ? parts : [parts.join("\n\n")];
}

function escapeText(text: string, format: string, maxLength: number): string {
  const escape = chatStyles[format]?.escape ?? escapeHtml;
  return packPieces(toPieces(text, [], escape), maxLength)[0] ?? "";
}

/** The beginning of a text that is still being written, in one message. */
export function formatBeginning(markdown: string, format: string, maxLength: number): string {
  const whole = isFormat(format) ? closeOpenMarks(markdown) : markdown;
  return formatText(whole, format, maxLength)[0] ?? "";
}

/** Text that is in the format already, in messages of at most `maxLength`. */
export function splitFormatted(text: string, format: string, maxLength: number): readonly string[] {
  const isHtml = format === "telegram" || format === "html";
  if (maxLength <= 0 || text.length <= maxLength || !isHtml) return splitReply(text, maxLength);
  return packPieces(readHtml(text), maxLength);
}

/** Formatted text as plain words, for a platform that could not read it. */
export function toPlainText(text: string, format: string): string {
  return format === "telegram" || format === "html" ? toTextOfHtml(text) : text;
}
