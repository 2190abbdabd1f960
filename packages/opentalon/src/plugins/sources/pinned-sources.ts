import { readdir, rm, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { SourceError } from "../../base/errors.ts";
import type { Environment } from "../child-environment.ts";
import { fetchGitSource, type GitSourceLimits } from "./git-source.ts";
import { isCommit, parseSourceAddress } from "./parse-source.ts";
import { hashFolder } from "./source-files.ts";
import {
  changeSourceLock,
  readSourceLock,
  type SourceLock,
  type SourcePin,
} from "./source-lock.ts";

export interface WantedSource {
  /** Of the entry in the lock file; empty for the shared repository. */
  readonly name: string;
  readonly repository: string;
  /** Empty for the default branch. */
  readonly reference: string;
}

export interface PresentSource {
  readonly folder: string;
  readonly commit: string;
}

/** What is on disk of a source; only a `current` one was pinned for what is wanted now. */
export type FoundSource =
  | ({ readonly kind: "current" } & PresentSource)
  /** Another branch, tag or commit of the same repository. */
  | ({ readonly kind: "earlier" } & PresentSource)
  | { readonly kind: "none" };

/** Sources of which a lock file tells commit and content. Needs the network only for what is not there. */
export interface PinnedSources {
  /**
   * Looks on disk only.
   * @throws SourceError when the files are not those that were pinned, or the lock file cannot be used.
   */
  readonly find: (wanted: WantedSource) => Promise<FoundSource>;
  /**
   * Fetches and pins; what is pinned for the same repository and reference is fetched as it was.
   * @throws SourceError; what was there before stays, in the lock file too.
   */
  readonly fetch: (
    wanted: WantedSource,
    signal: AbortSignal,
    onProgress?: (line: string) => void,
  ) => Promise<PresentSource>;
  /** Removes folders that no entry of the lock file names any more. Never rejects. */
  readonly removeUnused: () => Promise<void>;
}

export interface PinnedSourcesOptions {
  readonly lockFile: string;
  /** The key of the lock file under which names stand, such as `plugins`. */
  readonly section: string;
  /** Where sources lie: a folder for each, and one for each commit in it. */
  readonly folder: string;
  readonly clock: Clock;
  /** The environment of this program, of which git gets a few names. */
  readonly host: Environment;
  readonly limits?: Partial<GitSourceLimits> | undefined;
}

export function createPinnedSources(options: PinnedSourcesOptions): PinnedSources {
  const { lockFile, section, folder, clock, host, limits } = options;
  const base = dirname(lockFile);

  const pinOf = (lock: SourceLock, { name }: WantedSource): SourcePin | undefined =>
    name === "" ? lock.repo : lock.entries.get(name);
  const remedy = ({ name }: WantedSource): string =>
    `delete ${name === "" ? "repo" : `${section}.${name}`} in ${lockFile} and start again to have it fetched anew`;

  const write = (wanted: WantedSource, pin: SourcePin): Promise<void> =>
    changeSourceLock({
      path: lockFile,
      section,
      clock,
      change: ({ repo, entries }) =>
        wanted.name === ""
          ? { repo: pin, entries }
          : { repo, entries: new Map([...entries, [wanted.name, pin]]) },
    });

  return {
    find: async (wanted) => {
      const pin = pinOf(await readSourceLock(lockFile, section), wanted);
      if (pin === undefined || pin.hash === "" || pin.github !== wanted.repository)
        return { kind: "none" };
      const path = resolve(base, pin.path);
      const isThere = await stat(path).then(
        (info) => info.isDirectory(),
        () => false,
      );
      if (!isThere) return { kind: "none" };
      const isCurrent = pin.ref === wanted.reference;
      if ((await hashFolder(path)) !== pin.hash) {
        // What is replaced anyway need not be complained about, only left alone.
        if (!isCurrent) return { kind: "none" };
        throw new SourceError(
          "SOURCE_CHANGED",
          `the files in ${path} are not those that were fetched: somebody changed them. Look at what changed, then ${remedy(wanted)}`,
        );
      }
      return { kind: isCurrent ? "current" : "earlier", folder: path, commit: pin.resolved };
    },

    fetch: async (wanted, signal, onProgress) => {
      const pin = pinOf(await readSourceLock(lockFile, section), wanted);
      const isPinned = pin?.github === wanted.repository && pin.ref === wanted.reference;
      const key =
        wanted.name === "" ? parseSourceAddress(wanted.repository).folderName : wanted.name;
      const fetched = await fetchGitSource({
        repository: wanted.repository,
        reference: isPinned ? pin.resolved : wanted.reference,
        into: join(folder, key),
        clock,
        host,
        signal,
        onProgress,
        limits,
      });
      const hash = await hashFolder(fetched.folder);
      if (isPinned && pin.hash !== "" && pin.hash !== hash) {
        await rm(fetched.folder, { recursive: true, force: true });
        throw new SourceError(
          "SOURCE_CHANGED",
          `${wanted.repository} gives other files for ${pin.resolved} than those that were pinned. Look at what changed, then ${remedy(wanted)}`,
        );
      }
      await write(wanted, {
        github: wanted.repository,
        ref: wanted.reference,
        resolved: fetched.commit,
        path: relative(base, fetched.folder),
        hash,
      });
      return fetched;
    },

    removeUnused: async () => {
      try {
        const { repo, entries } = await readSourceLock(lockFile, section);
        const used = new Set(
          [repo, ...entries.values()].flatMap((pin) =>
            pin === undefined ? [] : [resolve(base, pin.path)],
          ),
        );
        for (const key of await readdir(folder)) {
          for (const name of await readdir(join(folder, key))) {
            const path = resolve(folder, key, name);
            if (isCommit(name) && !used.has(path)) await rm(path, { recursive: true, force: true });
          }
        }
      } catch {
        // It costs room on the disk, nothing else.
      }
    },
  };
}
