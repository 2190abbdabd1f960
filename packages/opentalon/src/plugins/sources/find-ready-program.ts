import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { type BuildPurpose, definitionPath, toBinaryName } from "../building/builder.ts";
import { findExecutable } from "../building/find-executable.ts";
import type { PreparedProgram } from "../plugin-entry.ts";
import type { WantedBuild } from "./built-sources.ts";

/** A program, or the definition of a channel, that lies ready in a folder of the operator's, and is used as it is. */
export async function findReadyProgram(
  purpose: BuildPurpose,
  { name, source }: Pick<WantedBuild, "name" | "source">,
): Promise<PreparedProgram | undefined> {
  if (source.kind !== "folder") return undefined;
  const folder = source.path;
  if (purpose === "channel" && !existsSync(join(folder, "go.mod"))) {
    const definition = join(folder, definitionPath);
    if (existsSync(definition)) return { command: [definition], folder };
  }
  for (const called of [name, basename(folder)]) {
    const binary = toBinaryName(called, purpose);
    const found = await findExecutable({ purpose, folder, name: called, binary });
    if (found !== undefined) return { command: [join(folder, found)], folder };
  }
  return undefined;
}
