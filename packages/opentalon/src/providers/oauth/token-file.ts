import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  openSync,
  readFileSync,
  statSync,
} from "node:fs";
import type { Clock } from "../../base/clock.ts";
import { AuthError, toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { replaceFile } from "../../base/replace-file.ts";
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
    let result: StoredToken | undefined;
    await replaceFile({
      path,
      mode: 0o600,
      clock,
      toText: () => {
        const before = readTokens(path);
        const current = before.get(provider);
        result = change(current);
        if (result === current) return undefined;
        const after = new Map(before);
        if (result === undefined) after.delete(provider);
        else after.set(provider, result);
        return toTokenText(after);
      },
    });
    look(true);
    return result;
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
