import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "./clock.ts";

export interface ReplaceFileOptions {
  readonly path: string;
  /** Permissions of the new file, from its first moment on. */
  readonly mode: number;
  readonly clock: Clock;
  /** Reads the file and makes the new text, while nobody else writes; `undefined` leaves the file as it is. */
  readonly toText: () => string | undefined | Promise<string | undefined>;
}

const maxTries = 100;
const pauseMs = 50;
/** A writer needs milliseconds; one whose draft is still there after this has crashed. */
const abandonedMs = 30_000;

/**
 * Replaces a file as a whole: whoever reads it finds the old text or the new one. Writers, those of other processes too,
 * come one after another. Its folder is made when it is not there. Rejects as `toText` does, and when it cannot be written;
 * the file is as it was then.
 */
export async function replaceFile({
  path,
  mode,
  clock,
  toText,
}: ReplaceFileOptions): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  // The file that becomes the new one is the lock as well: whoever creates it is the only writer.
  const draft = `${path}.new`;
  const file = await openDraft(draft, mode, clock);
  let isDraftLeft = true;
  try {
    const text = await toText();
    if (text === undefined) return;
    await file.writeFile(text);
    // What the process takes away from new files is not taken away here.
    await file.chmod(mode);
    await keepOwner(path, file);
    await file.sync();
    // Whoever was held up for long was taken for crashed, and another writer has the draft by now.
    if (!(await isSame(draft, file))) throw new Error("another process has begun to write it");
    await rename(draft, path);
    isDraftLeft = false;
    await syncDirectory(dirname(path));
  } finally {
    if (isDraftLeft && (await isSame(draft, file))) await rm(draft, { force: true });
    await file.close();
  }
}

async function openDraft(draft: string, mode: number, clock: Clock): Promise<FileHandle> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await open(draft, "wx", mode);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (attempt === maxTries) throw new Error("another process is writing it", { cause: error });
    }
    const found = await stat(draft).catch(() => undefined);
    if (found === undefined) continue;
    // One from the future was left behind before the clock was set back.
    if (Math.abs(clock.now() - found.mtimeMs) > abandonedMs) await rm(draft, { force: true });
    else await clock.sleep(pauseMs);
  }
}

async function isSame(path: string, file: FileHandle): Promise<boolean> {
  const [there, own] = await Promise.all([stat(path).catch(() => undefined), file.stat()]);
  return there?.ino === own.ino && there.dev === own.dev;
}

/** An administrator who writes the file of a service leaves it to the service. */
async function keepOwner(path: string, file: FileHandle): Promise<void> {
  const before = await stat(path).catch(() => undefined);
  if (before === undefined || process.geteuid?.() !== 0) return;
  await file.chown(before.uid, before.gid);
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
