import type { FileAttachment } from "../domain/message.ts";
import type { TranscriptFile } from "../domain/session.ts";

/** A file of a conversation, as the metadata of its message tell it. */
export interface StoredFile {
  readonly name: string;
  readonly mimeType: string;
  readonly size: number;
  /** Whether its bytes were stored with the message; they may have been dropped since. */
  readonly kept: boolean;
}

/** What `readFileList` reads, as a value for JSON. */
export function toFileList(files: readonly TranscriptFile[]): readonly unknown[] {
  return files.map((file) => ({
    name: file.name,
    mime_type: file.mimeType,
    size: file.data === undefined ? file.size : file.data.byteLength,
    kept: file.data !== undefined,
  }));
}

/** The bytes of all files, one after another; `null` when there are none. */
export function toFileBytes(files: readonly TranscriptFile[]): Uint8Array | null {
  const kept = files.flatMap(({ data }) => data ?? []);
  return kept.length === 0 ? null : Buffer.concat(kept);
}

/** Whatever another program wrote there is no file. */
export function readFileList(value: unknown): readonly StoredFile[] {
  if (!Array.isArray(value)) return [];
  return (value as readonly unknown[]).flatMap((each) => {
    const { name, mime_type: mimeType, size, kept } = (each ?? {}) as Record<string, unknown>;
    const isFile = typeof name === "string" && typeof mimeType === "string";
    if (!isFile || typeof size !== "number" || size < 0) return [];
    return [{ name, mimeType, size, kept: kept === true }];
  });
}

export function sumKeptBytes(files: readonly StoredFile[]): number {
  return files.reduce((sum, { size, kept }) => sum + (kept ? size : 0), 0);
}

/** Each file gets bytes of its own, so that keeping one does not keep them all; without `bytes` only names are left. */
export function toTranscriptFiles(
  files: readonly StoredFile[],
  bytes: Uint8Array | undefined,
): readonly TranscriptFile[] {
  const isWhole = bytes !== undefined && bytes.byteLength === sumKeptBytes(files);
  let offset = 0;
  return files.map(({ name, mimeType, size, kept }): TranscriptFile => {
    if (kept && size === 0) return { name, mimeType, data: new Uint8Array() };
    if (!isWhole || !kept) return { name, mimeType, size };
    const data: FileAttachment["data"] = new Uint8Array(bytes.subarray(offset, offset + size));
    offset += size;
    return { name, mimeType, data };
  });
}

/**
 * The oldest of `newest` (newest first) whose files stay within `maxBytes` together with those of all newer ones;
 * `undefined` when there is none with files.
 */
export function findOldestKept(
  newest: readonly { readonly seq: number; readonly fileBytes: number }[],
  maxBytes: number,
): number | undefined {
  let leftBytes = maxBytes;
  let oldest: number | undefined;
  for (const { seq, fileBytes } of newest) {
    leftBytes -= fileBytes;
    if (leftBytes < 0) break;
    if (fileBytes > 0) oldest = seq;
  }
  return oldest;
}
