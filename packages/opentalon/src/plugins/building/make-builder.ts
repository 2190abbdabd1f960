import { SourceError } from "../../base/errors.ts";
import { readInside } from "../sources/source-files.ts";
import type { Builder } from "./builder.ts";
import { findExecutable, listExecutables } from "./find-executable.ts";
import { findNodeProgram } from "./node-program.ts";

const fileNames: readonly string[] = ["GNUmakefile", "makefile", "Makefile"];
const maxFileBytes = 1_048_576;
/** `make build BINARY_NAME=<name>`, as the Go program calls it. */
export const makeBuilder: Builder = {
  kind: "make",
  matches: async ({ folder }) => {
    for (const name of fileNames) {
      const text = await readInside(folder, name, maxFileBytes);
      if (text !== undefined) return text.split("\n").some(isBuildRule);
    }
    return false;
  },
  build: async (place, run) => {
    const before = new Set(await listExecutables(place.folder));
    await run({ command: ["make", "build", `BINARY_NAME=${place.binary}`] });
    const found = (await findExecutable(place)) ?? (await findOnlyNew(place.folder, before));
    if (found !== undefined) return { command: [found], path: found };
    const script = await findNodeProgram(place);
    if (script !== undefined) return script;
    throw new SourceError(
      "SOURCE_BUILD_FAILED",
      `make build made no program that could be found; it has to write one to $(BINARY_NAME), which is ${place.binary}`,
    );
  },
};

/** A rule for `build`, alone or among others; neither a variable nor a recipe. */
function isBuildRule(line: string): boolean {
  if (line.startsWith("\t")) return false;
  const end = line.indexOf(":");
  if (end < 0 || /^:*=/.test(line.slice(end, end + 4))) return false;
  const targets = line.slice(0, end);
  return !/[=#]/.test(targets) && targets.split(/\s+/).includes("build");
}

async function findOnlyNew(
  folder: string,
  before: ReadonlySet<string>,
): Promise<string | undefined> {
  const made = (await listExecutables(folder)).filter((path) => !before.has(path));
  return made.length === 1 ? made[0] : undefined;
}
