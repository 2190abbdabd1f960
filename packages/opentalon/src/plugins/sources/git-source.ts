import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { createDeadline } from "../../base/deadline.ts";
import { SourceError } from "../../base/errors.ts";
import type { Environment } from "../child-environment.ts";
import { checkReference, isCommit, parseSourceAddress } from "./parse-source.ts";
import { createGit, type RunGit } from "./run-git.ts";

export interface GitSourceOptions {
  /** `owner/name` on GitHub, a URL, `git@host:path` or an absolute path. */
  readonly repository: string;
  /** Branch, tag or whole commit; the remote's default branch when empty. */
  readonly reference?: string | undefined;
  /** The folder that gets a folder named after the commit; made when it is not there. */
  readonly into: string;
  readonly clock: Clock;
  /** The environment of this program, of which git gets a few names. */
  readonly host: Environment;
  readonly signal?: AbortSignal | undefined;
  /** Told what git says on the way. */
  readonly onProgress?: ((line: string) => void) | undefined;
  readonly limits?: Partial<GitSourceLimits> | undefined;
}

export interface GitSourceLimits {
  readonly timeoutMs: number;
  /** Of what is downloaded, and of the files. */
  readonly maxBytes: number;
  readonly maxFiles: number;
}

export interface GitSource {
  /** All its digits. */
  readonly commit: string;
  /** The files of the commit, without any history. */
  readonly folder: string;
}

export const gitSourceLimits: GitSourceLimits = {
  timeoutMs: 120_000,
  maxBytes: 134_217_728,
  maxFiles: 20_000,
};

const stagingPrefix = ".fetching-";
/** Another process may be at it; one that takes longer than this was killed. */
const leftOverAfterMs = 3_600_000;
const sizeCheckMs = 200;
const own = "refs/opentalon/source";
/** Files arrive as they are in the commit: nothing in it can have them converted or filtered. */
const rawAttributes = "* -text -eol -crlf -ident -filter -working-tree-encoding\n";

/**
 * Fetches one commit of a git repository: into a folder beside the place where it is to be, which is renamed once all
 * is there, so that what is found under the name is always whole. Nothing of the repository is run.
 * @throws SourceError; rejects with the signal's reason when that aborts.
 */
export async function fetchGitSource(options: GitSourceOptions): Promise<GitSource> {
  const { repository, into, clock, host, signal, onProgress = () => undefined } = options;
  const limits = { ...gitSourceLimits, ...options.limits };
  const { url, protocol } = parseSourceAddress(repository);
  const reference = checkReference(options.reference ?? "");
  await mkdir(into, { recursive: true, mode: 0o700 });
  await removeLeftOvers(into, clock);
  const staging = await mkdtemp(join(into, stagingPrefix));
  using deadline = createDeadline({
    clock,
    timeoutMs: limits.timeoutMs,
    signal,
    toError: () =>
      new SourceError(
        "SOURCE_TIMED_OUT",
        `${url} could not be fetched within ${limits.timeoutMs / 1_000} seconds`,
      ),
  });
  const tooLarge = new AbortController();
  const watch = watchSize(staging, clock, limits.maxBytes, () => tooLarge.abort(toTooLarge(url)));
  try {
    const git = createGit({
      clock,
      host,
      folder: staging,
      protocol,
      signal: AbortSignal.any([deadline.signal, tooLarge.signal]),
      onProgress,
    });
    const tree = join(staging, "tree");
    await mkdir(tree, { mode: 0o700 });
    const commit = await fetchCommit(git, { url, reference, staging });
    await checkTree(git, { url, commit, staging, limits });
    const checkout = await git([
      ...inside(staging),
      `--work-tree=${tree}`,
      "checkout",
      "--quiet",
      "--force",
      "--detach",
      commit,
    ]);
    if (checkout.kind === "failed") throw toUnavailable(url, checkout.problem);
    const folder = join(into, commit);
    await rm(folder, { recursive: true, force: true });
    await rename(tree, folder);
    return { commit, folder };
  } finally {
    watch.stop();
    await rm(staging, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }
}

interface Place {
  readonly url: string;
  readonly staging: string;
}

const inside = (staging: string): readonly string[] => [`--git-dir=${join(staging, "git")}`];

async function fetchCommit(
  git: RunGit,
  { url, staging, reference }: Place & { readonly reference: string },
): Promise<string> {
  const repository = join(staging, "git");
  const made = await git(["init", "--quiet", "--bare", "--template=", "--", repository]);
  if (made.kind === "failed") throw toUnavailable(url, made.problem);
  await mkdir(join(repository, "info"), { recursive: true });
  await writeFile(join(repository, "info", "attributes"), rawAttributes);

  const fetch = (...more: readonly string[]): ReturnType<RunGit> =>
    git([...inside(staging), "fetch", "--progress", "--no-tags", "--force", ...more]);
  const wanted = isCommit(reference)
    ? reference.toLowerCase()
    : await findReference(git, url, reference);
  const fetched = await fetch("--depth=1", "--", url, `${wanted}:${own}`);
  if (fetched.kind === "failed") {
    if (!isCommit(wanted)) throw toUnavailable(url, fetched.problem);
    // Not every server hands out a commit by its name alone; then all branches and tags are looked through.
    const all = await fetch("--", url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*");
    if (all.kind === "failed") throw toUnavailable(url, all.problem);
  }
  const name = fetched.kind === "failed" ? wanted : own;
  const found = await git([...inside(staging), "rev-parse", "--verify", `${name}^{commit}`]);
  const commit = found.kind === "done" ? found.output.trim() : "";
  if (!isCommit(commit))
    throw new SourceError("SOURCE_MISSING", `${url} has no commit ${reference || "yet"}`);
  return commit;
}

/** The whole name of a branch or tag; branches come before tags, as when git clones. */
async function findReference(git: RunGit, url: string, reference: string): Promise<string> {
  if (reference === "") return "HEAD";
  const names = [`refs/heads/${reference}`, `refs/tags/${reference}`];
  if (reference.startsWith("refs/")) names.unshift(reference);
  const listed = await git(["ls-remote", "--quiet", "--", url, ...names]);
  if (listed.kind === "failed") throw toUnavailable(url, listed.problem);
  // Names are patterns for git, which also match the ends of longer ones.
  const there = new Set(listed.output.split("\n").map((line) => line.split("\t")[1] ?? ""));
  const found = names.find((name) => there.has(name));
  if (found !== undefined) return found;
  const hint = /^[0-9a-f]{7,63}$/i.test(reference) ? "; write a commit with all its digits" : "";
  throw new SourceError("SOURCE_MISSING", `${url} has no branch or tag ${reference}${hint}`);
}

/** Looks at what is to be written before it is written: compressed it may have been small. */
async function checkTree(
  git: RunGit,
  {
    url,
    staging,
    commit,
    limits,
  }: Place & { readonly commit: string; readonly limits: GitSourceLimits },
): Promise<void> {
  const listed = await git([...inside(staging), "ls-tree", "-r", "-l", "-z", commit]);
  if (listed.kind === "failed") throw toUnavailable(url, listed.problem);
  const entries = listed.output.split("\0").filter((entry) => entry !== "");
  const bytes = entries.reduce(
    (sum, entry) => sum + (Number(entry.split("\t", 1)[0]?.split(/ +/)[3]) || 0),
    0,
  );
  if (bytes > limits.maxBytes || entries.length > limits.maxFiles) throw toTooLarge(url);
}

function watchSize(
  staging: string,
  clock: Clock,
  maxBytes: number,
  onTooLarge: () => void,
): { readonly stop: () => void } {
  const packs = join(staging, "git", "objects", "pack");
  let cancel = (): void => undefined;
  let isStopped = false;
  const look = async (): Promise<void> => {
    const names = await readdir(packs).catch(() => []);
    const sizes = await Promise.all(
      names.map((name) =>
        stat(join(packs, name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    );
    if (isStopped) return;
    if (sizes.reduce((sum, size) => sum + size, 0) > maxBytes) onTooLarge();
    else cancel = clock.after(sizeCheckMs, () => void look());
  };
  cancel = clock.after(sizeCheckMs, () => void look());
  return {
    stop: () => {
      isStopped = true;
      cancel();
    },
  };
}

/** What a killed process left. */
async function removeLeftOvers(into: string, clock: Clock): Promise<void> {
  const names = (await readdir(into)).filter((name) => name.startsWith(stagingPrefix));
  for (const name of names) {
    const path = join(into, name);
    const info = await stat(path).catch(() => undefined);
    if (info !== undefined && clock.now() - info.mtimeMs > leftOverAfterMs)
      await rm(path, { recursive: true, force: true });
  }
}

function toUnavailable(url: string, problem: string): SourceError {
  return new SourceError("SOURCE_UNAVAILABLE", `${url} could not be fetched: ${problem}`);
}

function toTooLarge(url: string): SourceError {
  return new SourceError("SOURCE_TOO_LARGE", `${url} is larger than a source may be`);
}
