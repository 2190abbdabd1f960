import { createHash } from "node:crypto";
import { lstat, readdir, readFile, readlink, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { SourceError } from "../../base/errors.ts";
import { gitSourceLimits } from "./git-source.ts";

/**
 * One number for all files of a folder: their names, contents, whether they can be run, and where links lead.
 * @throws SourceError when there is something that no repository brings, or more than one may have.
 */
export async function hashFolder(folder: string): Promise<string> {
  const hash = createHash("sha256");
  let files = 0;
  let bytes = 0;
  const add = (kind: string, path: string, content: Buffer): void => {
    hash.update(`${kind} ${Buffer.byteLength(path)} ${content.length}\n${path}\n`).update(content);
  };
  const walk = async (path: string): Promise<void> => {
    const names = await readdir(join(folder, path));
    for (const name of names.toSorted()) {
      const inner = path === "" ? name : `${path}/${name}`;
      const info = await lstat(join(folder, inner));
      files += 1;
      bytes += info.isFile() ? info.size : 0;
      if (files > 2 * gitSourceLimits.maxFiles || bytes > gitSourceLimits.maxBytes)
        throw new SourceError("SOURCE_CHANGED", `${folder} holds more than was fetched`);
      if (info.isDirectory()) await walk(inner);
      else if (info.isSymbolicLink())
        add("link", inner, Buffer.from(await readlink(join(folder, inner))));
      else if (info.isFile())
        add(
          (info.mode & 0o100) === 0 ? "file" : "program",
          inner,
          await readFile(join(folder, inner)),
        );
      else throw new SourceError("SOURCE_CHANGED", `${join(folder, inner)} is no file`);
    }
  };
  await walk("");
  return `sha256:${hash.digest("hex")}`;
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
