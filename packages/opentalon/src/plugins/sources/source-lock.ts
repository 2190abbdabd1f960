import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { parse, stringify } from "yaml";
import { SourceError, toMessage } from "../../base/errors.ts";
import { isCommit } from "./parse-source.ts";

/** What is pinned of one source. */
export interface SourcePin {
  readonly github: string;
  /** As configured; empty is the default branch. */
  readonly ref: string;
  readonly resolved: string;
  /** Of the folder, from that of the lock file. */
  readonly path: string;
  /** Of its content; empty in files that were written by something else. */
  readonly hash: string;
}

/** A lock file: one pin for the shared repository, and one for each name with a source of its own. */
export interface SourceLock {
  readonly repo: SourcePin | undefined;
  readonly entries: ReadonlyMap<string, SourcePin>;
}

const about =
  " Written by OpenTalon: which commit of each repository is in use. Delete an entry to have it fetched anew.";
const maxBytes = 1_048_576;

/**
 * `section` is the key under which the names stand, such as `plugins`.
 * @throws SourceError when the file is there and cannot be used; it is never silently replaced, because it is what pins.
 */
export async function readSourceLock(path: string, section: string): Promise<SourceLock> {
  const fail = (problem: string): SourceError =>
    new SourceError(
      "SOURCE_LOCK_UNUSABLE",
      `${path} cannot be used: ${problem}. Correct it, or delete it to have everything fetched anew`,
    );
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      return { repo: undefined, entries: new Map() };
    throw fail(toMessage(error));
  }
  if (text.length > maxBytes) throw fail("it is too large");
  let parsed: unknown;
  try {
    parsed = parse(text, { maxAliasCount: 0, logLevel: "error" }) ?? {};
  } catch {
    throw fail("it is no YAML");
  }
  if (!isRecord(parsed)) throw fail("it holds no entries");
  const toPin = (name: string, value: unknown): SourcePin => {
    const pin = isRecord(value) ? value : {};
    const read = (key: string): string => (typeof pin[key] === "string" ? pin[key] : "");
    const resolved = read("resolved");
    if (!isCommit(resolved)) throw fail(`${name} has no commit under "resolved"`);
    return {
      github: read("github"),
      ref: read("ref"),
      resolved,
      path: read("path"),
      hash: read("hash"),
    };
  };
  const { repo, [section]: named } = parsed;
  if (named !== undefined && named !== null && !isRecord(named))
    throw fail(`"${section}" is no map`);
  return {
    repo: repo === undefined || repo === null ? undefined : toPin("repo", repo),
    entries: new Map(Object.entries(named ?? {}).map(([name, pin]) => [name, toPin(name, pin)])),
  };
}

/** Replaces the file as a whole. */
export async function writeSourceLock(
  path: string,
  section: string,
  { repo, entries }: SourceLock,
): Promise<void> {
  const sorted = [...entries].toSorted(([one], [other]) => (one < other ? -1 : 1));
  const text = stringify({
    ...(repo === undefined ? {} : { repo }),
    [section]: Object.fromEntries(sorted),
  });
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.new`;
  await writeFile(draft, `#${about}\n${text}`, { mode: 0o644, flush: true });
  await chmod(draft, 0o644);
  await rename(draft, path);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
