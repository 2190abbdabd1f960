import { accessSync, constants, openSync, readSync, closeSync, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";

/**
 * Where a program lies that is named by its path or found on `searchPath`.
 * @throws Error, in words for the operator, when there is none or it cannot be run.
 */
export function findProgram(name: string, searchPath: string): string {
  const places = name.includes("/")
    ? [resolve(name)]
    : searchPath
        .split(delimiter)
        .flatMap((folder) => (isAbsolute(folder) ? [join(folder, name)] : []));
  const there = places.filter(isFile);
  const found = there.find(isExecutable);
  if (found !== undefined && name !== "") return found;
  if (there[0] !== undefined)
    throw new Error(`${there[0]} is not executable; set its permission with chmod +x`);
  throw new Error(`there is no program ${name}, or no interpreter for it`);
}

/** What runs a script, as its first line says; empty for a program of the system's own kind. */
export function readInterpreter(path: string): readonly string[] {
  const start = Buffer.alloc(256);
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    readSync(file, start, 0, start.length, 0);
  } catch {
    return [];
  } finally {
    if (file !== undefined) closeSync(file);
  }
  const [, line = ""] = /^#!\s*([^\n\0]*)/.exec(start.toString("latin1")) ?? [];
  return line.split(/\s+/).filter((part) => part !== "");
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    // Not there, or in a folder of somebody else.
    return false;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
