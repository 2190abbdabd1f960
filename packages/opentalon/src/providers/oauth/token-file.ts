import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  readFileSync,
  statSync,
} from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { AuthError, toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { parseTokenText, toTokenText } from "./stored-token.ts";
import type { StoredToken, StoredTokens } from "./stored-token.ts";

/**
 * The tokens of all providers in one file, shared between a running program and the command line. Readable by its owner
 * only, from its first moment on, and always either the old text or the new one.
 */
export interface TokenFile {
  /** What the file says, looked at once a second at most. A file that cannot be read says nothing, and the log why. */
  readonly read: (provider: string) => StoredToken | undefined;
  /** The same, looked at in this moment. */
  readonly readNow: (provider: string) => StoredToken | undefined;
  /**
   * Replaces a provider's token by what `change` makes of the one in the file at that moment, which no other process
   * changes meanwhile; `undefined` removes it. Resolves with what stands there now.
   * @throws AuthError AUTH_TOKENS_UNUSABLE; the file is as it was.
   */
  readonly update: (provider: string, change: TokenChange) => Promise<StoredToken | undefined>;
}

export type TokenChange = (current: StoredToken | undefined) => StoredToken | undefined;

export interface TokenFileOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
}

const lookAgainMs = 1_000;
const maxFileBytes = 1024 * 1024;
const maxLockTries = 100;
const lockPauseMs = 50;
/** A writer needs milliseconds; one whose draft is still there after this has crashed. */
const abandonedMs = 30_000;

export function createTokenFile({ path, clock, log }: TokenFileOptions): TokenFile {
  let tokens: StoredTokens = new Map();
  let seen = "";
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let writing: Promise<unknown> = Promise.resolve();

  const look = (isForced: boolean): void => {
    const nowMs = clock.now();
    if (!isForced && nowMs >= lookedAtMs && nowMs - lookedAtMs < lookAgainMs) return;
    lookedAtMs = nowMs;
    const found = findVersion(path);
    if (found === seen) return;
    seen = found;
    try {
      tokens = readTokens(path);
    } catch (error) {
      tokens = new Map();
      log.error({ path, why: toMessage(error) }, "the OAuth tokens cannot be read");
    }
  };

  const write = async (provider: string, change: TokenChange): Promise<StoredToken | undefined> => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // The file that becomes the new one is the lock as well: whoever creates it is the only writer.
    const draft = `${path}.new`;
    const file = await openDraft(draft, clock);
    let isDraftLeft = true;
    try {
      const before = readTokens(path);
      const current = before.get(provider);
      const next = change(current);
      if (next === current) return current;
      const after = new Map(before);
      if (next === undefined) after.delete(provider);
      else after.set(provider, next);
      await file.writeFile(toTokenText(after));
      await file.sync();
      await rename(draft, path);
      isDraftLeft = false;
      await syncDirectory(dirname(path));
      look(true);
      return next;
    } finally {
      await file.close();
      if (isDraftLeft) await rm(draft, { force: true });
    }
  };

  return {
    read: (provider) => (look(false), tokens.get(provider)),
    readNow: (provider) => (look(true), tokens.get(provider)),
    update: (provider, change) => {
      const written = writing.then(() => write(provider, change));
      writing = written.catch(() => undefined);
      return written.catch((error: unknown) => {
        throw new AuthError(
          "AUTH_TOKENS_UNUSABLE",
          `${path} with the OAuth tokens cannot be used: ${toMessage(error)}`,
        );
      });
    },
  };
}

/** Changes when the file does; empty when there is none. */
function toVersion(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true });
  if (found === undefined) return "";
  return [found.ino, found.mtimeNs, found.ctimeNs, found.size].join(" ");
}

/** The same; what cannot be looked at is one more version. */
function findVersion(path: string): string {
  try {
    return toVersion(path);
  } catch (error) {
    return toMessage(error);
  }
}

/** @throws Error whose message holds nothing of the file. */
function readTokens(path: string): StoredTokens {
  if (toVersion(path) === "") return new Map();
  // A link could lead to a file of somebody else.
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { size, mode } = fstatSync(file);
    if (size > maxFileBytes) throw new Error("it is larger than OpenTalon ever writes it");
    // Somebody copied it here: what others could read before cannot be taken back, but it ends now.
    if ((mode & 0o077) !== 0) fchmodSync(file, 0o600);
    return parseTokenText(readFileSync(file, "utf8"));
  } finally {
    closeSync(file);
  }
}

async function openDraft(draft: string, clock: Clock): Promise<FileHandle> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await open(draft, "wx", 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (attempt === maxLockTries)
        throw new Error("another process is writing it", { cause: error });
    }
    const found = await stat(draft).catch(() => undefined);
    if (found === undefined) continue;
    // One from the future was left behind before the clock was set back.
    if (Math.abs(clock.now() - found.mtimeMs) > abandonedMs) await rm(draft, { force: true });
    else await clock.sleep(lockPauseMs);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
