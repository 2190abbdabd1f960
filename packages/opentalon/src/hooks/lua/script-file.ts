import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** A script on disk, read again when it was changed. */
export interface ScriptFile {
  /** The text when it is not the one given last; `undefined` when nothing changed. @throws Error when it cannot be read */
  readonly readChange: () => string | undefined;
}

export const maxScriptBytes = 1_048_576;
/** Files are stamped by a clock that ticks in steps: what was written just now may be written again under the same stamp. */
const settledAfterMs = 100;
const namePattern = /^[A-Za-z0-9][\w.-]{0,127}$/;

export function isScriptName(name: string): boolean {
  return namePattern.test(name);
}

export function toScriptPath(directory: string, name: string): string | undefined {
  return namePattern.test(name) ? join(directory, `${name}.lua`) : undefined;
}

/** Names of the scripts in the folder, sorted; none when it cannot be read. */
export function listScripts(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
      .filter((file) => file.endsWith(".lua") && !file.endsWith("_test.lua"))
      .map((file) => file.slice(0, -".lua".length))
      .filter((name) => namePattern.test(name))
      .sort();
  } catch {
    return [];
  }
}

/** A script whose text is kept elsewhere; `read` may throw as `readChange` does. */
export function openScriptText(read: () => string): ScriptFile {
  let known: string | undefined;
  return {
    readChange: () => {
      const text = read();
      if (text === known) return undefined;
      known = text;
      return text;
    },
  };
}

/** Looks at the file's stamp each time, which takes a few microseconds; edits and files put in its place are both seen. */
export function openScriptFile(path: string, now: () => number): ScriptFile {
  let known = "";
  let text: string | undefined;
  return {
    readChange: () => {
      const stat = statSync(path, { bigint: true });
      const stamp = `${stat.ino} ${stat.size} ${stat.mtimeNs}`;
      if (stamp === known) return undefined;
      // Reading from a pipe or a device could last for ever.
      if (!stat.isFile()) throw new Error("it is not a file");
      if (stat.size > maxScriptBytes)
        throw new Error(`the file is larger than ${maxScriptBytes / 1024} KiB`);
      const isSettled = now() - Number(stat.mtimeMs) > settledAfterMs;
      known = isSettled ? stamp : "";
      const read = readFileSync(path, "utf8");
      if (read === text) return undefined;
      text = read;
      return read;
    },
  };
}
