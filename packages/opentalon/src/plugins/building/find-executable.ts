import { constants } from "node:fs";
import { access, readdir, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import type { BuildPlace } from "./builder.ts";

/** Where builds put programs. */
const usualFolders: readonly string[] = ["", "bin", "build", "dist", "out"];

type Names = Pick<BuildPlace, "purpose" | "name" | "binary">;

/** Names under which a program is looked for, the likeliest first. */
export function toUsualNames({ purpose, name, binary }: Names): string[] {
  return [...new Set([binary, name, `${name}-${purpose}`, purpose])];
}

/** The program of a plugin or channel in its folder, as `./path`; `undefined` when there is none of a usual name. */
export async function findExecutable(
  place: Names & Pick<BuildPlace, "folder">,
): Promise<string | undefined> {
  for (const name of toUsualNames(place)) {
    for (const folder of usualFolders) {
      const path = join(folder, name);
      if (await isExecutable(place.folder, path)) return `./${path}`;
    }
  }
  return undefined;
}

/** All programs directly in these folders, as `./path`. */
export async function listExecutables(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const inner of usualFolders) {
    const names = await readdir(join(folder, inner)).catch((): string[] => []);
    for (const name of names.toSorted())
      if (await isExecutable(folder, join(inner, name))) found.push(`./${join(inner, name)}`);
  }
  return found;
}

/** Whether this is a file somebody may run, and lies inside the folder. */
export async function isExecutable(folder: string, path: string): Promise<boolean> {
  if (!(await isInside(folder, path))) return false;
  return access(join(folder, path), constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Whether this is a file that lies inside the folder, links followed. */
export async function isInside(folder: string, path: string): Promise<boolean> {
  try {
    const root = await realpath(folder);
    const file = await realpath(join(root, path));
    return file.startsWith(root + sep) && (await stat(file)).isFile();
  } catch {
    return false;
  }
}
