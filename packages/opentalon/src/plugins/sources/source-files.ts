import { createHash } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { lstat, readdir, readFile, readlink, realpath } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { SourceError } from "../../base/errors.ts";
import { gitSourceLimits } from "./git-source.ts";

export interface HashOptions {
  readonly maxFiles?: number | undefined;
  readonly maxBytes?: number | undefined;
  /** Refuses links that lead out of the folder: what is behind them could change without the number telling. */
  readonly linksStayInside?: boolean | undefined;
  /** Names, at any depth, of what does not count. */
  readonly without?: ReadonlySet<string> | undefined;
}

/**
 * One number for all files of a folder: their names, contents, whether they can be run, and where links lead.
 * @throws SourceError when there is something that no repository brings, or more than one may have.
 */
export async function hashFolder(folder: string, options: HashOptions = {}): Promise<string> {
  const { maxFiles = 2 * gitSourceLimits.maxFiles, maxBytes = gitSourceLimits.maxBytes } = options;
  const hash = createHash("sha256");
  const root = await realpath(folder);
  let files = 0;
  let bytes = 0;
  const begin = (kind: string, path: string, length: number): void => {
    hash.update(`${kind} ${Buffer.byteLength(path)} ${length}\n${path}\n`);
  };
  const addEntry = async ({ inner, full, info, content }: Entry): Promise<void> => {
    files += 1;
    bytes += info.isFile() ? info.size : 0;
    if (files > maxFiles || bytes > maxBytes)
      throw new SourceError("SOURCE_CHANGED", `${folder} holds more than was fetched`);
    if (info.isDirectory()) await walk(inner);
    else if (info.isSymbolicLink()) {
      const target = await readlink(full);
      if (options.linksStayInside === true) await checkLink(root, full, target);
      begin("link", inner, Buffer.byteLength(target));
      hash.update(target);
    } else if (info.isFile()) {
      begin((info.mode & 0o100) === 0 ? "file" : "program", inner, info.size);
      if (content !== undefined) hash.update(content);
      else for await (const chunk of createReadStream(full)) hash.update(chunk as Buffer);
    } else throw new SourceError("SOURCE_CHANGED", `${join(folder, inner)} is no file`);
  };
  const walk = async (path: string): Promise<void> => {
    const all = await readdir(join(root, path));
    const names = all.filter((name) => options.without?.has(name) !== true).toSorted();
    for (let start = 0; start < names.length; start += readAtOnce) {
      const read = names
        .slice(start, start + readAtOnce)
        .map((name) => readEntry(root, path, name));
      for (const entry of await Promise.all(read)) await addEntry(entry);
    }
  };
  await walk("");
  return `sha256:${hash.digest("hex")}`;
}

interface Entry {
  /** From the folder. */
  readonly inner: string;
  readonly full: string;
  readonly info: Stats;
  /** Of a file that is not large. */
  readonly content: Buffer | undefined;
}

/** Most folders hold many small files, and waiting for one after another takes most of the time. */
const readAtOnce = 16;
const smallBytes = 1_048_576;

async function readEntry(root: string, path: string, name: string): Promise<Entry> {
  const inner = path === "" ? name : `${path}/${name}`;
  const full = join(root, inner);
  const info = await lstat(full);
  const isSmall = info.isFile() && info.size <= smallBytes;
  return { inner, full, info, content: isSmall ? await readFile(full) : undefined };
}

/** @throws SourceError */
async function checkLink(root: string, link: string, target: string): Promise<void> {
  const aim = resolve(dirname(link), target);
  // Of a link to nothing it counts where that would be.
  const end = await realpath(link).catch(() => realpath(dirname(aim)).catch(() => undefined));
  if (end !== undefined && (end === root || end.startsWith(root + sep))) return;
  throw new SourceError(
    "SOURCE_INVALID",
    `${link} leads out of its folder, to ${target}; links may only lead to files of the plugin itself`,
  );
}

/**
 * The text of a file of a folder; `undefined` when it has none of this name. A link is followed as long as it stays inside.
 * @throws SourceError when it leads outside, or is no file of at most `maxBytes`.
 */
export async function readInside(
  folder: string,
  path: string,
  maxBytes: number,
): Promise<string | undefined> {
  const root = await realpath(folder);
  const found = await realpath(join(root, path)).catch(() => undefined);
  if (found === undefined) return undefined;
  if (!found.startsWith(root + sep))
    throw new SourceError("SOURCE_INVALID", `${path} leads out of the repository`);
  const info = await lstat(found);
  if (!info.isFile() || info.size > maxBytes)
    throw new SourceError("SOURCE_INVALID", `${path} is no file of at most ${maxBytes} bytes`);
  return readFile(found, "utf8");
}
