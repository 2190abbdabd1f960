import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** A value in a file only this user can read. */
export interface KeptFile {
  /** `undefined` when there is none, or none that can be read. */
  readonly read: () => Promise<unknown>;
  /** Whoever reads later finds all of the new value or all of the old one, also when the machine stops in between. */
  readonly write: (value: unknown) => Promise<void>;
}

export function createKeptFile(path: string): KeptFile {
  return {
    read: async () => {
      try {
        return JSON.parse(await readFile(path, "utf8")) as unknown;
      } catch {
        return undefined;
      }
    },
    write: async (value) => {
      const draft = `${path}.new`;
      const file = await open(draft, "w", 0o600);
      try {
        await file.chmod(0o600);
        await file.writeFile(JSON.stringify(value));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, path);
      // The new name, too, has to be on the disk.
      const folder = await open(dirname(path), "r");
      try {
        await folder.sync();
      } finally {
        await folder.close();
      }
    },
  };
}
