import { lstat, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** The least a file or folder costs, so that many empty ones count as well, and looking through them has an end. */
const leastBytes = 4_096;

/**
 * What folders hold, in bytes; more than `mostBytes` as soon as that is certain. Links are not followed, other file systems
 * mounted inside count.
 */
export async function measureFolders(
  folders: readonly string[],
  mostBytes: number,
): Promise<number> {
  let bytes = 0;
  const left = [...new Set(folders)];
  for (let folder = left.pop(); folder !== undefined; folder = left.pop()) {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) left.push(path);
      const blocks = (await lstat(path).catch(() => undefined))?.blocks ?? 0;
      bytes += Math.max(leastBytes, blocks * 512);
      if (bytes > mostBytes) return bytes;
    }
  }
  return bytes;
}

/** What processes keep of files they have removed, in bytes: space that no folder shows. */
export async function measureRemovedFiles(pids: readonly number[]): Promise<number> {
  const files = new Map<string, number>();
  for (const pid of pids) {
    const folder = `/proc/${pid}/fd`;
    for (const descriptor of await readdir(folder).catch(() => [])) {
      const file = await stat(join(folder, descriptor)).catch(() => undefined);
      if (file?.isFile() === true && file.nlink === 0)
        files.set(`${file.dev} ${file.ino}`, file.blocks * 512);
    }
  }
  return [...files.values()].reduce((total, bytes) => total + bytes, 0);
}
