import { isUtf8 } from "node:buffer";
import type { FileAttachment } from "./message.ts";

/** What a file is, by its bytes: who sent it may have called it anything. */
export type FileKind =
  | { readonly kind: "image" | "pdf" | "audio"; readonly mimeType: string }
  | { readonly kind: "text" }
  | { readonly kind: "other" };

/** Of a text file, so many bytes are read at most. */
export const maxTextFileBytes = 64 * 1024;

/** Only formats every service that takes the kind understands. */
export function detectFileKind({ name, mimeType, data }: FileAttachment): FileKind {
  const media = detectMedia(data);
  if (media !== undefined) return media;
  return isNamedText(name, mimeType) && isText(data) ? { kind: "text" } : { kind: "other" };
}

/** The beginning of a text file, cut between characters; `undefined` for any other file. */
export function readTextFile(
  file: FileAttachment,
): { readonly text: string; readonly isCut: boolean } | undefined {
  if (detectFileKind(file).kind !== "text") return undefined;
  const head = toHead(file.data);
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString("utf8");
  return {
    text: text.startsWith("\uFEFF") ? text.slice(1) : text,
    isCut: head.byteLength < file.data.byteLength,
  };
}

function detectMedia(data: Uint8Array): FileKind | undefined {
  const start = Buffer.from(data.buffer, data.byteOffset, Math.min(16, data.byteLength));
  const head = start.toString("latin1");
  if (head.startsWith("\x89PNG\r\n\x1A\n")) return { kind: "image", mimeType: "image/png" };
  if (head.startsWith("\xFF\xD8\xFF")) return { kind: "image", mimeType: "image/jpeg" };
  if (/^GIF8[79]a/.test(head)) return { kind: "image", mimeType: "image/gif" };
  if (head.startsWith("%PDF-")) return { kind: "pdf", mimeType: "application/pdf" };
  if (head.startsWith("RIFF")) {
    const form = head.slice(8, 12);
    if (form === "WEBP") return { kind: "image", mimeType: "image/webp" };
    if (form === "WAVE") return { kind: "audio", mimeType: "audio/wav" };
  }
  if (head.startsWith("ID3") || /^\xFF[\xE2\xE3\xF2\xF3\xFA\xFB]/.test(head))
    return { kind: "audio", mimeType: "audio/mpeg" };
  return undefined;
}

const textType =
  /^(?:text\/[\w.+-]+|application\/(?:[\w.-]+\+)?(?:json|xml|yaml|x-yaml|csv|toml|x-ndjson|sql|javascript)|image\/svg\+xml)\s*(?:;|$)/i;
const textName =
  /\.(?:txt|md|csv|tsv|json|jsonl|xml|ya?ml|toml|ini|log|html?|css|sql|sh|py|[jt]sx?|go|rs|java|rb|c|h|cpp)$/i;

function isNamedText(name: string, mimeType: string): boolean {
  const isUnnamed = mimeType === "" || /^application\/octet-stream\b/i.test(mimeType);
  return isUnnamed ? textName.test(name) : textType.test(mimeType);
}

function isText(data: Uint8Array): boolean {
  const head = toHead(data);
  return isUtf8(head) && !head.includes(0);
}

/** Ends between two characters, if these are UTF-8. */
function toHead(data: Uint8Array): Uint8Array {
  if (data.byteLength <= maxTextFileBytes) return data;
  let end = maxTextFileBytes;
  while (end > maxTextFileBytes - 4 && ((data[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return data.subarray(0, end);
}
