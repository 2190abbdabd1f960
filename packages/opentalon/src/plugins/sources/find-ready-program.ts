import { basename, join } from "node:path";
import { toBinaryName } from "../building/builder.ts";
import { findExecutable } from "../building/find-executable.ts";
import type { PreparedProgram } from "../plugin-entry.ts";
import type { WantedPlugin } from "./plugin-sources.ts";

/** A program that lies ready in a folder of the operator's, which is run as it is. */
export async function findReadyProgram({
  name,
  source,
}: Pick<WantedPlugin, "name" | "source">): Promise<PreparedProgram | undefined> {
  if (source.kind !== "folder") return undefined;
  const folder = source.path;
  for (const called of [name, basename(folder)]) {
    const found = await findExecutable({ folder, name: called, binary: toBinaryName(called) });
    if (found !== undefined) return { command: [join(folder, found)], folder };
  }
  return undefined;
}
