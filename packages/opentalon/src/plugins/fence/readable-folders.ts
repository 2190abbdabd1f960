import { type Dirent, existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative } from "node:path";
import { findProgram, readInterpreter } from "./find-program.ts";

export interface ReadableFoldersOptions {
  readonly command: readonly string[];
  /** Where programs are looked for. */
  readonly searchPath: string;
  /** Where the program came from, when that is a folder of its own. */
  readonly programFolder?: string | undefined;
  /** Folders that stay hidden: neither they nor what they lie in is ever named. */
  readonly hidden: readonly string[];
}

/**
 * What a program has to read to run, beyond the system: its own folder, and what its interpreter consists of. Paths of
 * files and folders, each there.
 */
export function findReadableFolders(options: ReadableFoldersOptions): readonly string[] {
  const { command, searchPath, programFolder } = options;
  const hidden = options.hidden.flatMap((path) => [path, toRealPath(path)]);
  const exposes = (path: string): boolean => hidden.some((secret) => isWithin(secret, path));
  /** The first of these that shows nothing it should not. */
  const choose = (...paths: readonly (string | undefined)[]): readonly string[] =>
    paths
      .filter((path) => path !== undefined && existsSync(path))
      .filter((path) => path !== undefined && !exposes(path))
      .slice(0, 1)
      .flatMap((path) => (path === undefined ? [] : [path, toRealPath(path)]));

  const ofProgram = (path: string): readonly string[] => [
    ...choose(findPackage(path), dirname(path), path),
    ...findLibraries(path).flatMap((folder) => choose(folder)),
  ];
  const ofInterpreter = (path: string): readonly string[] =>
    [path, toRealPath(path)].flatMap((each) => {
      const folder = dirname(each);
      const isInstallation =
        isShim(each) || (basename(folder) === "bin" && existsSync(join(dirname(folder), "lib")));
      return choose(isInstallation && !isPersonal(dirname(folder)) ? dirname(folder) : each, each);
    });

  const [program = "", ...rest] = command;
  const found: string[] = programFolder === undefined ? [] : [...choose(programFolder)];
  const add = (path: string): void => {
    const [interpreter, ...rest] = readInterpreter(path);
    if (interpreter === undefined || isShim(path)) found.push(...ofInterpreter(path));
    if (interpreter === undefined) return;
    found.push(...ofProgram(path));
    const asked = rest.find((part) => !part.startsWith("-") && !part.includes("="));
    const named = basename(interpreter) === "env" ? (asked ?? interpreter) : interpreter;
    found.push(...ofInterpreter(findProgram(named, searchPath)));
  };
  const path = findProgram(program, searchPath);
  add(path);
  // A program of the system's own kind that no search found has its files beside it.
  if (program.includes("/")) found.push(...ofProgram(path));
  for (const argument of rest.filter((each) => isAbsolute(each) && existsSync(each)))
    found.push(...(isFolder(argument) ? choose(argument) : ofProgram(argument)));
  return [...new Set(found)];
}

/** A small program that looks for the real one beside it. */
function isShim(path: string): boolean {
  return basename(dirname(path)) === "shims";
}

/** Places people keep more than programs in. */
function isPersonal(folder: string): boolean {
  return [".local", ".cargo"].includes(basename(folder));
}

const packageFiles = ["package.json", "pyproject.toml", "go.mod", "Cargo.toml", "plugin.yaml"];

/** The nearest folder around a file that is a package. */
function findPackage(path: string): string | undefined {
  return ancestorsOf(path).find((folder) =>
    packageFiles.some((name) => existsSync(join(folder, name))),
  );
}

/** Where a script of Node finds its libraries: folders above it, and the packages of a workspace they link to. */
function findLibraries(path: string): readonly string[] {
  if (!/\.[cm]?[jt]sx?$/.test(path)) return [];
  return ancestorsOf(path)
    .map((folder) => join(folder, "node_modules"))
    .filter(isFolder)
    .flatMap((folder) => [folder, ...findLinked(folder)]);
}

function findLinked(folder: string): readonly string[] {
  return listFolder(folder).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isSymbolicLink()) return isFolder(path) ? [toRealPath(path)] : [];
    return entry.isDirectory() && entry.name.startsWith("@") ? findLinked(path) : [];
  });
}

function listFolder(path: string): readonly Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

function ancestorsOf(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === path ? [] : [parent, ...ancestorsOf(parent)];
}

/** Whether a path is a folder or lies below it. */
export function isWithin(path: string, folder: string): boolean {
  const inside = relative(folder, path);
  return inside === "" || !(inside.startsWith("..") || isAbsolute(inside));
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function toRealPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
