import type { ChannelFile } from "@opentalon/plugin-sdk";
import { parseMediaAddress, type ClientApi } from "./client-api.ts";
import { isSignedOut, MatrixError, toMessage } from "./matrix-error.ts";
import { withPatience, type Clock } from "./patience.ts";
import { member, toCount, toText } from "./read-json.ts";

export interface LoadedFile {
  readonly files: readonly ChannelFile[];
  /** In place of a file that could not be loaded, so that nobody answers as if there had been none. */
  readonly note: string;
}

export interface LoadFileOptions {
  readonly api: Pick<ClientApi, "download">;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A message of 32 MiB is the largest OpenTalon takes, and more is in it than the file. */
const maxFileBytes = 30 * 1024 * 1024;
const tooLarge = "larger than 30 MiB";

/** A homeserver in trouble has this long to hand out a file before the message goes on without it. */
const patienceMs = 30_000;

/** The file of a message of the kinds `m.image`, `m.file`, `m.audio` and `m.video`. Rejects when the signal aborts, or we are signed out. */
export async function loadFile(
  content: unknown,
  { api, clock, log, signal }: LoadFileOptions,
): Promise<LoadedFile> {
  const name = toFileName(content);
  const missing = (why: string): LoadedFile => ({ files: [], note: `[file ${name}: ${why}]` });
  const info = member(content, "info");
  if ((toCount(member(info, "size")) ?? 0) > maxFileBytes) return missing(tooLarge);
  const address = parseMediaAddress(member(content, "url"));
  if (address === undefined)
    return missing(member(content, "file") === undefined ? "it has no address" : "it is encrypted");
  try {
    const { data, mimeType } = await withPatience({ clock, signal, withinMs: patienceMs }, () =>
      api.download(address, maxFileBytes, signal),
    );
    const told = toMimeType(member(info, "mimetype"));
    return {
      files: [{ name, mimeType: told === "" ? toMimeType(mimeType) : told, data }],
      note: "",
    };
  } catch (error) {
    if (signal.aborted || isSignedOut(error)) throw error;
    log(`a file could not be loaded: ${toMessage(error)}`);
    // What was announced as smaller, or not at all.
    const isTooLarge = error instanceof MatrixError && error.code === "M_TOO_LARGE";
    return missing(isTooLarge ? tooLarge : "it could not be loaded");
  }
}

function toFileName(content: unknown): string {
  const { base = "" } =
    /(?<base>[^/\\]*)$/.exec(toText(member(content, "filename")) || toText(member(content, "body")))
      ?.groups ?? {};
  const name = base.replaceAll(/[\0-\x1f\x7f]/g, "").trim();
  return name === "" ? "file" : name.slice(-200).toWellFormed();
}

function toMimeType(value: unknown): string {
  const text = toText(value).trim().toLowerCase();
  return /^[\w.+-]{1,100}\/[\w.+-]{1,100}$/.test(text) ? text : "";
}
