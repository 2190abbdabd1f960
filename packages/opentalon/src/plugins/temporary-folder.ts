import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder for one process, which only this user may enter, removed after the process ended. */
export interface TemporaryFolder {
  readonly path: string;
  /** Never rejects: what cannot be removed stays. */
  readonly remove: () => Promise<void>;
}

/** Hands out folders, and remembers them on disk, so that a later start removes what a killed one left behind. */
export interface TemporaryFolders {
  /** @throws as the file system does. */
  readonly create: () => Promise<TemporaryFolder>;
  /** Removes the folders of an earlier process over the same state directory. Never rejects. */
  readonly removeLeftOvers: () => Promise<void>;
}

const prefix = "ot-";
const ownName = /^ot-[A-Za-z0-9]{6}$/;

/**
 * The folders lie in the system's temporary folder and have short names, because a plugin puts its socket in there and
 * the path of a socket has at most 107 bytes. `stateDirectory` must belong to one process at a time.
 */
export function createTemporaryFolders(stateDirectory: string | undefined): TemporaryFolders {
  const base = Buffer.byteLength(tmpdir()) <= 40 ? tmpdir() : "/tmp";
  const notes = stateDirectory === undefined ? undefined : join(stateDirectory, "plugin-folders");
  return {
    create: async () => {
      const path = await mkdtemp(join(base, prefix));
      const note = notes === undefined ? undefined : join(notes, path.slice(base.length + 1));
      if (notes !== undefined && note !== undefined) {
        await mkdir(notes, { recursive: true });
        await writeFile(note, "");
      }
      return {
        path,
        remove: async () => {
          await removeQuietly(path);
          if (note !== undefined) await removeQuietly(note);
        },
      };
    },
    removeLeftOvers: async () => {
      if (notes === undefined) return;
      const names = await readdir(notes).catch(() => []);
      for (const name of names.filter((text) => ownName.test(text))) {
        await removeQuietly(join(base, name));
        await removeQuietly(join(notes, name));
      }
    },
  };
}

async function removeQuietly(path: string): Promise<void> {
  // A process of the plugin may still be writing while it is killed, hence the retries.
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 }).catch(() => {});
}
