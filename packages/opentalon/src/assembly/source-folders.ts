import { existsSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { WantedBuild } from "../plugins/sources/built-sources.ts";

/** Where `github` and `ref` of an entry lead to. */
export function toBuildSource(github: string, ref: string): WantedBuild["source"] {
  // A folder that git knows nothing of is taken as it is.
  return isAbsolute(github) && isFolder(github) && !isGitFolder(github)
    ? { kind: "folder", path: github }
    : { kind: "git", repository: github, reference: ref };
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Whether git can fetch from it: a checkout, or a bare repository. */
function isGitFolder(path: string): boolean {
  return existsSync(join(path, ".git")) || isBareRepository(path);
}

export function isBareRepository(path: string): boolean {
  return existsSync(join(path, "HEAD")) && existsSync(join(path, "objects"));
}
