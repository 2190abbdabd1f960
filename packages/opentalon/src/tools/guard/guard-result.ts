/**
 * Gets: what a plugin answered, unseen by anybody.
 * Gives: the same in at most 64 KiB per part (or as configured), with nothing in it that could act as a tool call, a role or an envelope.
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
export function guardResult(raw: RawToolResult, maxBytes = maxPartBytes): ToolResult {
  const isError = raw.error !== "";
  const parts: string[] = [];
  if (isError) parts.push(`error: ${guardText(raw.error, maxBytes)}`);
  if (raw.content !== "") parts.push(guardText(raw.content, maxBytes));
  if (raw.structuredContent !== "") {
    const inner = defuseBlock(guardText(raw.structuredContent, maxBytes));
    for (const [index, part] of parts.entries()) parts[index] = defuseBlock(part);
    parts.push(`[structured]\n${inner}\n[/structured]`);
  }
  const joined = parts.join("\n");
  // A marker must not come together from two parts either.
  const content = parts.length > 1 ? neutralise(joined) : joined;
  return isSafe(content) ? { content, isError } : { content: unsafeAnswer, isError: true };
}

/**
 * For a program: each part by itself, what was JSON still JSON. Structured content that cannot be both short enough,
 * harmless and JSON is left out, and the content says so.
 */
export function guardParts(raw: RawToolResult, maxBytes = maxPartBytes): RawToolResult {
  const content = guardText(raw.content, maxBytes);
  const error = guardText(raw.error, maxBytes);
  const structuredContent = guardJson(raw.structuredContent, maxBytes);
  if (structuredContent !== undefined) return { content, error, structuredContent };
  const note = `[structured content left out: it has ${Buffer.byteLength(raw.structuredContent)} bytes or is no JSON that can be passed on]`;
  return {
    content: content === "" ? note : `${content}\n${note}`,
    error,
    structuredContent: "",
  };
}

function guardJson(text: string, maxBytes: number): string | undefined {
  if (text === "") return "";
  if (text.length > maxBytes) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (guardText(text, maxBytes) === text) return text;
    const guarded = JSON.stringify(guardStrings(value, maxBytes));
    return guardText(guarded, maxBytes) === guarded ? guarded : undefined;
  } catch {
    return undefined;
  }
}

function guardStrings(value: unknown, maxBytes: number): unknown {
  if (typeof value === "string") return guardText(value, maxBytes);
  if (Array.isArray(value)) return value.map((part) => guardStrings(part, maxBytes));
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([name, part]) => [
    guardText(name, maxBytes),
    guardStrings(part, maxBytes),
  ]);
  return Object.fromEntries(members);
}

const unsafeAnswer = "error: the answer was withheld, because it could not be made safe";

/** The last look at what goes to a model: whatever happened before, nothing is left that guarding would change. */
function isSafe(content: string): boolean {
  return content.isWellFormed() && neutralise(content) === content;
}

/** One part of a result. Idempotent for what fits. */
export function guardText(text: string, maxBytes = maxPartBytes): string {
  // Secrets are looked for before the cut, so that none is cut in two and passes unrecognised.
  const nearby = maxBytes + maxPartBytes;
  const near = text.length > nearby ? text.slice(0, nearby) : text;
  const redacted = redactSecrets(near);
  const cut = truncateUtf8(redacted, maxBytes);
  const guarded = truncateUtf8(neutralise(cleanText(cut.text)), maxBytes);
  if (!cut.truncated && !guarded.truncated && near === text) return guarded.text;
  return `${guarded.text}\n[truncated: the first ${maxBytes} of ${Buffer.byteLength(text)} bytes]`;
}

const blockMarker = /\[(?=\/?structured\])/gi;

/** Only where a block follows does its marker mean anything; elsewhere `[structured]` is a word in brackets. */
function defuseBlock(text: string): string {
  return text.replaceAll(blockMarker, "(");
}
