import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { SourceError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { type BuildPurpose, toBinaryName } from "../building/builder.ts";
import { buildSources } from "../building/build-sources.ts";
import type { Environment } from "../child-environment.ts";
import { toFolderName } from "../folder-name.ts";
import type { PreparedProgram } from "../plugin-entry.ts";
import { besideSources, copySources } from "./copy-folder.ts";
import { fetchGitSource } from "./git-source.ts";
import { hashFolder, type HashOptions } from "./source-files.ts";
import { changeSourceLock, readSourceLock, type SourcePin } from "./source-lock.ts";

/** A plugin or channel that is built from sources. */
export interface WantedBuild {
  /** Key of its entry. */
  readonly name: string;
  readonly source:
    | { readonly kind: "git"; readonly repository: string; readonly reference: string }
    /** A folder somebody works in: built anew whenever its sources have changed. */
    | { readonly kind: "folder"; readonly path: string };
  /** Text of `mod.tln`, the list of what is compiled in; empty without one. */
  readonly bundle: string;
}

export interface FinishedBuild {
  readonly program: PreparedProgram;
  /** Of a folder the hash of its sources. */
  readonly commit: string;
}

/** What is on disk of it; only a `current` one was pinned for what is wanted now. */
export type FoundBuild =
  | ({ readonly kind: "current" } & FinishedBuild)
  /** Another branch, tag or commit of the same repository, or what a folder held before. */
  | ({ readonly kind: "earlier" } & FinishedBuild)
  | { readonly kind: "none" };

export interface InstallOptions {
  readonly signal: AbortSignal;
  /** Told what git and builders do and say. */
  readonly onLine: (line: string) => void;
  /** Told, once the sources are there, that what comes now may take minutes; not told where nothing is run. */
  readonly onBuilding?: (() => void) | undefined;
  /** Takes what the reference leads to now instead of the commit that is pinned. */
  readonly newest?: boolean | undefined;
}

/** `before` is the pinned commit this one took the place of, empty when there was none; equal when nothing was to be done. */
export type InstalledBuild = FinishedBuild & { readonly before: string };

/** Plugins, or channels, of which a lock file tells commit and content of what was built. */
export interface BuiltSources {
  /**
   * Looks on disk only.
   * @throws SourceError when the files are not those that were pinned, or the lock file cannot be used.
   */
  readonly find: (wanted: WantedBuild) => Promise<FoundBuild>;
  /**
   * Fetches, builds and pins. What is pinned for the same repository and reference is fetched as it was.
   * @throws SourceError; what was there before stays, in the lock file too.
   */
  readonly install: (wanted: WantedBuild, options: InstallOptions) => Promise<InstalledBuild>;
  /** Forgets it and removes what was built of it. Whether there was something. */
  readonly remove: (name: string) => Promise<boolean>;
  /** Removes what no entry of the lock file names any more. Never rejects. */
  readonly removeUnused: () => Promise<void>;
}

export interface BuiltSourcesOptions {
  readonly purpose: BuildPurpose;
  readonly dataDir: string;
  readonly buildTimeoutMs: number;
  readonly clock: Clock;
  /** The environment of this program, of which git and builders get a few names. */
  readonly host: Environment;
  readonly log: Log;
}

const spareHomeName = ".home";
/** What somebody may be at right now is younger than this and the longest build. */
const leftOverAfterMs = 3_600_000;
const builtLimits: HashOptions = {
  maxFiles: 300_000,
  maxBytes: 4_294_967_296,
  linksStayInside: true,
};
const sourceLimits: HashOptions = { without: besideSources };

export function createBuiltSources(options: BuiltSourcesOptions): BuiltSources {
  const { purpose, dataDir, buildTimeoutMs, clock, host, log } = options;
  const section = `${purpose}s`;
  const lockFile = join(dataDir, `${section}.lock`);
  // Not the folder it runs in: what it may write must not be what is run.
  const builds = join(dataDir, `${purpose}_builds`);
  const readPin = async (name: string): Promise<SourcePin | undefined> =>
    (await readSourceLock(lockFile, section)).entries.get(name);
  const remedy = (name: string): string =>
    `run \`opentalon ${purpose} update ${name}\` or delete ${section}.${name} in ${lockFile} to have it fetched and built anew`;

  const find = async (wanted: WantedBuild): Promise<FoundBuild> => {
    const pin = await readPin(wanted.name);
    const program = pin?.program;
    if (pin === undefined || program === undefined || pin.hash === "") return { kind: "none" };
    if (pin.github !== toAddress(wanted)) return { kind: "none" };
    const folder = resolve(dataDir, program.folder);
    if (!folder.startsWith(builds + sep) || !(await isFolder(folder))) return { kind: "none" };
    const isCurrent =
      program.bundle === toBundleHash(wanted) &&
      (wanted.source.kind === "git"
        ? pin.ref === wanted.source.reference
        : pin.resolved === (await readCommit(wanted.source.path)));
    if ((await hashFolder(folder, builtLimits)) !== pin.hash) {
      // What is replaced anyway need not be complained about, only left alone.
      if (!isCurrent) return { kind: "none" };
      throw new SourceError(
        "SOURCE_CHANGED",
        `the files in ${folder} are not those that were built: somebody changed them, and they are not run. Look at what changed, then ${remedy(wanted.name)}`,
      );
    }
    return {
      kind: isCurrent ? "current" : "earlier",
      commit: pin.resolved,
      program: toProgram(folder, program.command, pin),
    };
  };

  /** The sources in a folder of its own below `into`. */
  const fetch = async (
    { source }: WantedBuild,
    pin: SourcePin | undefined,
    { signal, onLine }: InstallOptions,
    into: string,
  ): Promise<{ readonly folder: string; readonly commit: string }> => {
    if (source.kind === "git") {
      return fetchGitSource({
        repository: source.repository,
        reference: pin?.resolved ?? source.reference,
        into,
        clock,
        host,
        signal,
        onProgress: onLine,
      });
    }
    const folder = join(into, "copy");
    await copySources(source.path, folder);
    return { folder, commit: await readCommit(folder) };
  };

  const install = async (wanted: WantedBuild, given: InstallOptions): Promise<InstalledBuild> => {
    const { name, source } = wanted;
    const { signal, onLine, onBuilding, newest = false } = given;
    const pin = await readPin(name);
    const before = pin?.github === toAddress(wanted) ? pin.resolved : "";
    const isPinned =
      source.kind === "git" && before !== "" && pin?.ref === source.reference && !newest;
    const own = join(builds, toFolderName(name));
    await mkdir(own, { recursive: true, mode: 0o700 });
    const scratch = await mkdtemp(join(own, ".scratch-"));
    let place: string | undefined;
    let isKept = false;
    try {
      const fetched = await fetch(wanted, isPinned ? pin : undefined, given, scratch);
      if (newest && fetched.commit === before) {
        const found = await find(wanted).catch(() => undefined);
        if (found?.kind === "current") return { ...found, before };
      }
      const sources = await hashFolder(fetched.folder);
      if (isPinned && pin.program !== undefined && pin.program.sources !== sources) {
        throw new SourceError(
          "SOURCE_CHANGED",
          `${pin.github} gives other files for ${pin.resolved} than those that were pinned. Look at what changed, then ${remedy(name)}`,
        );
      }
      // Built where it stays, since some programs remember where they were built. It counts once it is pinned.
      place = await mkdtemp(join(own, `${fetched.commit.slice(0, 12)}-`));
      await rename(fetched.folder, place);
      await writeBundle(place, wanted.bundle);
      const fileName = toFolderName(name);
      const built = await buildSources({
        place: {
          purpose,
          folder: place,
          scratch,
          name: fileName,
          binary: toBinaryName(fileName, purpose),
        },
        spareHome: join(builds, spareHomeName),
        timeoutMs: buildTimeoutMs,
        clock,
        host,
        log,
        signal,
        onLine,
        onBuilding: () => {
          onLine(
            `building ${name} at ${fetched.commit.slice(0, 12)}, with the rights of this program`,
          );
          onBuilding?.();
        },
      });
      const hash = await hashFolder(place, builtLimits);
      signal.throwIfAborted();
      const newPin: SourcePin = {
        github: toAddress(wanted),
        ref: source.kind === "git" ? source.reference : "",
        resolved: fetched.commit,
        path: relative(dataDir, resolve(place, built.path)),
        hash,
        program: {
          folder: relative(dataDir, place),
          command: built.command,
          sources,
          bundle: toBundleHash(wanted),
        },
      };
      await changeSourceLock({
        path: lockFile,
        section,
        clock,
        change: ({ repo, entries }) => ({ repo, entries: new Map([...entries, [name, newPin]]) }),
      });
      isKept = true;
      const program = toProgram(place, built.command, newPin);
      return { program, commit: fetched.commit, before };
    } finally {
      // What cannot be removed costs room, and says nothing about the build.
      if (place !== undefined && !isKept) await removeFolder(place).catch(() => undefined);
      await removeFolder(scratch).catch(() => undefined);
    }
  };

  return {
    find,
    install,
    remove: async (name) => {
      let isThere = false;
      await changeSourceLock({
        path: lockFile,
        section,
        clock,
        change: ({ repo, entries }) => {
          isThere = entries.has(name);
          return { repo, entries: new Map([...entries].filter(([other]) => other !== name)) };
        },
      });
      const own = join(builds, toFolderName(name));
      isThere ||= await isFolder(own);
      await removeFolder(own);
      return isThere;
    },
    removeUnused: async () => {
      try {
        const { entries } = await readSourceLock(lockFile, section);
        const used = new Set(
          [...entries.values()].map(({ program }) => resolve(dataDir, program?.folder ?? "")),
        );
        const oldMs = clock.now() - leftOverAfterMs - buildTimeoutMs;
        for (const key of await readdir(builds).catch(() => [])) {
          if (key === spareHomeName) continue;
          for (const name of await readdir(join(builds, key)).catch(() => [])) {
            const path = resolve(builds, key, name);
            const info = await stat(path).catch(() => undefined);
            if (info !== undefined && info.ctimeMs < oldMs && !used.has(path))
              await removeFolder(path);
          }
        }
      } catch {
        // It costs room on the disk, nothing else.
      }
    },
  };
}

/** What stands as `github` in the lock file. */
function toAddress({ source }: WantedBuild): string {
  return source.kind === "git" ? source.repository : source.path;
}

/** Stands for a commit where there is none. */
async function readCommit(folder: string): Promise<string> {
  if (!(await isFolder(folder)))
    throw new SourceError("SOURCE_MISSING", `there is no folder ${folder} any more`);
  return (await hashFolder(folder, sourceLimits)).replace("sha256:", "");
}

function toBundleHash({ bundle }: WantedBuild): string {
  return bundle === "" ? "" : `sha256:${createHash("sha256").update(bundle).digest("hex")}`;
}

async function writeBundle(folder: string, bundle: string): Promise<void> {
  if (bundle === "") return;
  const path = join(folder, "mod.tln");
  // What the repository has there may be a link to somewhere else.
  await rm(path, { recursive: true, force: true });
  await writeFile(path, bundle, { flag: "wx" });
}

function toProgram(
  folder: string,
  command: readonly string[],
  { ref, resolved }: SourcePin,
): PreparedProgram {
  const toPart = (part: string): string =>
    part === "." || part.startsWith("./") ? resolve(folder, part) : part;
  const version = `${ref === "" || ref === resolved ? "" : `${ref} at `}${resolved.slice(0, 12)}`;
  return { command: command.map(toPart), folder, version };
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
}

function removeFolder(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
}
