/**
 * Gets: what a plugin answered, unseen by anybody.
 * Gives: the same in at most 64 KiB per part, with nothing in it that could act as a tool call, a role or an envelope.
 * Never: throws, and never changes an ordinary text.
 */
import { redactSecrets } from "../../base/secret.ts";
import { truncateUtf8 } from "../../base/unicode.ts";
import type { RawToolResult } from "../../domain/plugin.ts";
import type { ToolResult } from "../../domain/tool.ts";
import { cleanText } from "./clean-text.ts";
import { neutralise } from "./neutralise.ts";

/** Most bytes of content, of structured content and of an error each, before the notice that says so. */
export const maxPartBytes = 65_536;

/**
 * Size, then control characters and broken encoding, then markers, for each part; then all parts as one text:
 * `error: …` first, the content, and structured content in a block of its own.
 */
export function guardResult(raw: RawToolResult): ToolResult {
  const isError = raw.error !== "";
  const parts: string[] = [];
  if (isError) parts.push(`error: ${guardText(raw.error)}`);
  if (raw.content !== "") parts.push(guardText(raw.content));
  if (raw.structuredContent !== "") {
    const inner = defuseBlock(guardText(raw.structuredContent));
    for (const [index, part] of parts.entries()) parts[index] = defuseBlock(part);
    parts.push(`[structured]\n${inner}\n[/structured]`);
  }
  const content = parts.join("\n");
  // A marker must not come together from two parts either.
  return { content: parts.length > 1 ? neutralise(content) : content, isError };
}

/** A text of ours that may quote a plugin or a model, as a failed result. */
export function toErrorResult(message: string): ToolResult {
  return guardResult({ content: "", error: message, structuredContent: "" });
}

/** One part of a result. Idempotent for what fits. */
export function guardText(text: string): string {
  // Secrets are looked for before the cut, so that none is cut in two and passes unrecognised.
  const near = text.length > 2 * maxPartBytes ? text.slice(0, 2 * maxPartBytes) : text;
  const redacted = redactSecrets(near);
  const cut = truncateUtf8(redacted, maxPartBytes);
  const guarded = truncateUtf8(neutralise(cleanText(cut.text)), maxPartBytes);
  if (!cut.truncated && !guarded.truncated && near === text) return guarded.text;
  return `${guarded.text}\n[truncated: the first ${maxPartBytes} of ${Buffer.byteLength(text)} bytes]`;
}

const blockMarker = /\[(?=\/?structured\])/gi;

/** Only where a block follows does its marker mean anything; elsewhere `[structured]` is a word in brackets. */
function defuseBlock(text: string): string {
  return text.replaceAll(blockMarker, "(");
}
