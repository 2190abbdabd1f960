import { detectFileKind, maxTextFileBytes } from "../domain/file-kind.ts";
import type { TranscriptFile } from "../domain/session.ts";

const imageTokens = 1_500;
const pageBytes = 60_000;
const pageTokens = 2_000;
const maxPages = 50;
/** A second of speech is a few kilobytes, and some 30 tokens. */
const soundBytesPerToken = 500;
const maxSoundTokens = 30_000;
/** A line that only mentions the file. */
const mentionTokens = 40;

/** Tokens of what a person sent along, by kind and size alone; nothing is decoded. */
export function estimateFiles(files: readonly TranscriptFile[]): number {
  return files.reduce((sum, file) => sum + mentionTokens + estimateContent(file), 0);
}

function estimateContent(file: TranscriptFile): number {
  if (file.data === undefined) return 0;
  const size = file.data.byteLength;
  switch (detectFileKind(file).kind) {
    case "image":
      return imageTokens;
    case "pdf":
      return Math.min(maxPages, Math.ceil(size / pageBytes)) * pageTokens;
    case "audio":
      return Math.min(maxSoundTokens, Math.ceil(size / soundBytesPerToken));
    case "text":
      return Math.ceil(Math.min(size, maxTextFileBytes) / 3.5);
    case "other":
      return 0;
  }
}
