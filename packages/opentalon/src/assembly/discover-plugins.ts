import { accessSync, constants, readdirSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { toMessage } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { findNameProblem } from "./find-name-problem.ts";

const maxPlugins = 200;

/**
 * The programs of `plugins.tools.plugin_dir` by name: every executable file, and every folder that holds one called like
 * the folder, `<folder>-plugin` or `plugin`. What cannot be used is told and left out.
 */
export function discoverPlugins(directory: string, log: Log): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  if (directory === "") return found;
  let names: readonly string[];
  try {
    names = readdirSync(directory).toSorted((one, other) => (one < other ? -1 : 1));
  } catch (error) {
    log.error({ directory, why: toMessage(error) }, "plugins.tools.plugin_dir cannot be read");
    return found;
  }
  for (const file of names) {
    if (file.startsWith(".")) continue;
    const program = findProgram(join(directory, file));
    if (program === undefined) continue;
    const name = basename(file, extname(file));
    const problem = findNameProblem(name) ?? findClash(name, found);
    if (problem !== undefined) {
      log.warn({ file: program, problem }, "a program of plugins.tools.plugin_dir is left out");
    } else if (found.size === maxPlugins) {
      log.warn(
        { directory },
        `only the first ${maxPlugins} programs of plugins.tools.plugin_dir are used`,
      );
      break;
    } else found.set(name, program);
  }
  return found;
}

function findClash(name: string, found: ReadonlyMap<string, string>): string | undefined {
  const other = found.get(name);
  return other && `${other} has the name "${name}" already`;
}

function findProgram(path: string): string | undefined {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info?.isFile() === true) return isExecutable(path) ? path : undefined;
  if (info?.isDirectory() !== true) return undefined;
  const folder = basename(path);
  return [folder, `${folder}-plugin`, "plugin"]
    .map((name) => join(path, name))
    .find((file) => isExecutable(file));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
