import type { APIAttachment } from "@discordjs/core/http-only";
import type { ChannelFile } from "@opentalon/plugin-sdk";
import { isLoopbackUrl } from "./read-settings.ts";

export interface LoadAttachmentsOptions {
  /** Base of the REST API: one on this machine may keep its files there, too. */
  readonly apiUrl: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface LoadedAttachments {
  readonly files: readonly ChannelFile[];
  /** What people should know of files that are missing; empty when none is. */
  readonly note: string;
}

const hosts: ReadonlySet<string> = new Set(["cdn.discordapp.com", "media.discordapp.net"]);
const maxFiles = 10;
/** A message of 32 MiB is the largest OpenTalon takes, and more is in it than files. */
const maxBytes = 30 * 1024 * 1024;
const fileTimeoutMs = 30_000;
const tries = 2;

/** The files of a message, from Discord's own servers only. One that cannot be had is named in the note. Never rejects. */
export async function loadAttachments(
  attachments: readonly APIAttachment[],
  options: LoadAttachmentsOptions,
): Promise<LoadedAttachments> {
  const files: ChannelFile[] = [];
  const missing: string[] = [];
  let bytes = 0;
  for (const attachment of attachments.slice(0, maxFiles)) {
    const name = attachment.filename.slice(0, 255);
    try {
      const data = await load(attachment, maxBytes - bytes, options);
      bytes += data.byteLength;
      files.push({ name, mimeType: toMimeType(attachment), data });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      options.log(`a file of a message was not loaded: ${reason}`);
      missing.push(`[the file ${name} could not be loaded: ${reason}]`);
    }
  }
  if (attachments.length > maxFiles)
    missing.push(`[${attachments.length - maxFiles} more files were left out]`);
  return { files, note: missing.join("\n") };
}

async function load(
  { url, size }: APIAttachment,
  room: number,
  options: LoadAttachmentsOptions,
): Promise<Uint8Array> {
  if (!isTrusted(url, options.apiUrl)) throw new Error("it does not lie on Discord's servers");
  if (size > room) throw new Error("the files of a message may have 30 MiB together");
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await download(url, room, options.signal);
    } catch (error) {
      const isForGood = error instanceof UnavailableError;
      if (isForGood || attempt === tries || options.signal.aborted) throw toPlain(error);
    }
  }
}

class UnavailableError extends Error {}

async function download(url: string, room: number, stop: AbortSignal): Promise<Uint8Array> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(fileTimeoutMs)]);
  const response = await fetch(url, { redirect: "error", signal });
  if (!response.ok) {
    await response.body?.cancel();
    const words = `Discord's server answered ${response.status}`;
    throw response.status < 500 ? new UnavailableError(words) : new Error(words);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const body = response.body as AsyncIterable<Uint8Array> | null;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    // What was announced as smaller.
    if (bytes > room) throw new UnavailableError("the files of a message may have 30 MiB together");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function isTrusted(address: string, apiUrl: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, host } = new URL(address);
  if (protocol === "https:" && hosts.has(host)) return true;
  return isLoopbackUrl(apiUrl) && isLoopbackUrl(address);
}

function toMimeType({ content_type: type }: APIAttachment): string {
  const [plain = ""] = (type ?? "").split(";");
  return plain.trim() === "" ? "application/octet-stream" : plain.trim().toLowerCase();
}

/** The address of a file holds what opens it to everybody. */
function toPlain(error: unknown): Error {
  if (error instanceof UnavailableError) return error;
  if (error instanceof Error && error.name === "TimeoutError") return new Error("it took too long");
  return error instanceof Error && error.message.startsWith("Discord's server")
    ? error
    : new Error("Discord's server could not be reached");
}
