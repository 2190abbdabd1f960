import { isAbsolute, join, resolve } from "node:path";
import type { PathKind } from "./key.ts";

/** What resolving paths has to know of the machine. */
export interface Places {
  /** Directory of the configuration file. */
  readonly directory: string;
  readonly workingDirectory: string;
  readonly homeDirectory: string;
  readonly exists: (path: string) => boolean;
}

/**
 * Makes a path absolute. `~` is the home directory. A relative path of kind `data` starts at the configuration file; any other
 * one does so if it leads to something there, else it starts at the working directory. A program that is at neither place
 * belongs beside the file, where it may be built yet. Addresses (`grpc://…`) stay as
 * they are, and so does a lone word that names a program on the search path or a built-in channel.
 */
export function resolvePath(path: string, kind: PathKind, places: Places): string {
  if (path === "" || kind === "no") return path;
  const isCommand = kind === "program" || kind === "channel";
  if (isCommand && /^[a-z][a-z0-9+.-]*:\/\//i.test(path)) return path;
  if (path === "~") return places.homeDirectory;
  if (/^~[/\\]/.test(path)) return join(places.homeDirectory, path.slice(2));
  if (isAbsolute(path)) return path;
  const beside = resolve(places.directory, path);
  if (kind === "data") return beside;
  const isWord = !/[/\\]/.test(path);
  if (kind === "channel" && isWord && !/\.ya?ml$/i.test(path)) return path;
  if (places.exists(beside)) return beside;
  const below = resolve(places.workingDirectory, path);
  if (kind !== "program" || places.exists(below)) return below;
  return isWord ? path : beside;
}
