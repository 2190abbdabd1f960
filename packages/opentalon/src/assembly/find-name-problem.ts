import type { BuildPurpose } from "../plugins/building/builder.ts";
import { builtInNames } from "../plugins/built-in-names.ts";

/** Why a plugin or channel cannot have this key; `undefined` when it can. */
export function findNameProblem(
  name: string,
  purpose: BuildPurpose = "plugin",
): string | undefined {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name))
    return `"${name}" is no name of a ${purpose}: letters, digits, "-" and "_" are, 64 at most`;
  if (purpose === "channel") return undefined;
  if (name.includes("__")) return `"${name}" cannot be a name: two "_" end the name of a plugin`;
  if (name === "tools" || name === "lua" || builtInNames.has(name))
    return `"${name}" is a name of OpenTalon itself`;
  return undefined;
}
