import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readInside } from "../sources/source-files.ts";
import type { Builder, BuildPlace } from "./builder.ts";

const maxFileBytes = 1_048_576;
const maxSourceBytes = 16_777_216;

/** `go build -o <name> .`, or of a command below `cmd/` when the top holds none. */
export const goBuilder: Builder = {
  kind: "go",
  matches: async ({ folder }) => (await readInside(folder, "go.mod", maxFileBytes)) !== undefined,
  build: async (place, run) => {
    const { binary } = place;
    // What is fetched has no history, and that of a folder around it says nothing about it.
    const command = ["go", "build", "-buildvcs=false", "-o", binary, await findMain(place)];
    await run({ command });
    return { command: [`./${binary}`], path: `./${binary}` };
  },
};

async function findMain({ folder, purpose, name, binary }: BuildPlace): Promise<string> {
  if (await isMain(folder)) return ".";
  const commands = await readdir(join(folder, "cmd")).catch((): string[] => []);
  const only = commands.length === 1 ? commands : [];
  for (const command of [binary, name, `${name}-${purpose}`, ...only])
    if (commands.includes(command) && (await isMain(join(folder, "cmd", command))))
      return `./cmd/${command}`;
  return ".";
}

async function isMain(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  const sources = names.filter((name) => name.endsWith(".go") && !name.endsWith("_test.go"));
  for (const name of sources) {
    // A link may lead to a file that never ends.
    const text = await readInside(folder, name, maxSourceBytes).catch(() => "");
    if (/^package main\b/m.test(text ?? "")) return true;
  }
  return false;
}
