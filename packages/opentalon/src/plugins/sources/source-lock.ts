import { readFile } from "node:fs/promises";
import { parse, stringify } from "yaml";
import type { Clock } from "../../base/clock.ts";
import { SourceError, toMessage } from "../../base/errors.ts";
import { replaceFile } from "../../base/replace-file.ts";
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
  /** What was built from it, when something was; `hash` is that of its folder then. */
  readonly program?: PinnedProgram | undefined;
}

export interface PinnedProgram {
  /** From that of the lock file. */
  readonly folder: string;
  /** A part that begins with `./` is a path in the folder, and `.` is the folder. */
  readonly command: readonly string[];
  /** Hash of what was fetched, before it was built. */
  readonly sources: string;
  /** Hash of the list of plugins that were compiled in; empty without one. */
  readonly bundle: string;
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
      program: toProgram(pin, read),
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

export interface ChangeLockOptions {
  readonly path: string;
  readonly section: string;
  readonly clock: Clock;
  /** Makes the new entries out of those that are there, while nobody else changes them. */
  readonly change: (lock: SourceLock) => SourceLock | Promise<SourceLock>;
}

/**
 * Changes the lock file, which other processes may change too. Rejects as `change` does.
 * @throws SourceError SOURCE_LOCK_UNUSABLE; it is as it was then.
 */
export async function changeSourceLock({
  path,
  section,
  clock,
  change,
}: ChangeLockOptions): Promise<void> {
  let problem: unknown;
  const toText = async (): Promise<string | undefined> => {
    try {
      return toLockText(await change(await readSourceLock(path, section)), section);
    } catch (error) {
      problem = error;
      return undefined;
    }
  };
  await replaceFile({ path, mode: 0o644, clock, toText }).catch((error: unknown) => {
    throw new SourceError("SOURCE_LOCK_UNUSABLE", `${path} cannot be written: ${toMessage(error)}`);
  });
  if (problem !== undefined) throw toError(problem);
}

function toError(problem: unknown): Error {
  return problem instanceof Error ? problem : new Error(toMessage(problem));
}

function toLockText({ repo, entries }: SourceLock, section: string): string {
  const sorted = [...entries].toSorted(([one], [other]) => (one < other ? -1 : 1));
  const text = stringify({
    ...(repo === undefined ? {} : { repo: toYaml(repo) }),
    [section]: Object.fromEntries(sorted.map(([name, pin]) => [name, toYaml(pin)])),
  });
  return `#${about}\n${text}`;
}

function toYaml({ program, ...pin }: SourcePin): Record<string, unknown> {
  if (program === undefined) return pin;
  const { folder, command, sources, bundle } = program;
  return { ...pin, folder, command, sources, ...(bundle === "" ? {} : { bundle }) };
}

/** Nothing but what a builder writes: a program of the folder, or one of the few that run scripts. */
function toProgram(
  { command }: Record<string, unknown>,
  read: (key: string) => string,
): PinnedProgram | undefined {
  const isCommand =
    Array.isArray(command) && command.every((part): part is string => typeof part === "string");
  const folder = read("folder");
  if (!isCommand || folder === "") return undefined;
  const [program = ""] = command;
  const isKnown = program.startsWith("./") || program === "node" || program === "npm";
  if (!isKnown || command.some((part) => part.split("/").includes(".."))) return undefined;
  return { folder, command, sources: read("sources"), bundle: read("bundle") };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
