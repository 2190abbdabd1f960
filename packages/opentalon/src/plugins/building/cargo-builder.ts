import { chmod, copyFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { SourceError } from "../../base/errors.ts";
import { readInside } from "../sources/source-files.ts";
import { toUsualNames } from "./find-executable.ts";
import type { Builder } from "./builder.ts";

const maxFileBytes = 1_048_576;
const maxPrograms = 100;

/** `cargo build --release`; of what it builds only the program is kept. */
export const cargoBuilder: Builder = {
  kind: "cargo",
  matches: async ({ folder }) =>
    (await readInside(folder, "Cargo.toml", maxFileBytes)) !== undefined,
  build: async (place, run) => {
    const programs: string[] = [];
    await run({
      command: ["cargo", "build", "--release", "--message-format=json-render-diagnostics"],
      onOutput: (line) => {
        const program = readProgram(line);
        if (program !== undefined && programs.length < maxPrograms) programs.push(program);
      },
    });
    const named = toUsualNames(place)
      .map((name) => programs.find((path) => basename(path) === name))
      .find((path) => path !== undefined);
    const program = named ?? (programs.length === 1 ? programs[0] : undefined);
    if (program === undefined) {
      const names = programs.map((path) => basename(path)).join(", ");
      throw new SourceError(
        "SOURCE_BUILD_FAILED",
        names === ""
          ? "cargo built no program: the package has no binary"
          : `cargo built several programs (${names}), and none is called ${place.binary}`,
      );
    }
    const kept = join(place.folder, place.binary);
    // What has the name already may be a link to somewhere else.
    await rm(kept, { recursive: true, force: true });
    await copyFile(program, kept);
    await chmod(kept, 0o755);
    return { command: [`./${place.binary}`], path: `./${place.binary}` };
  },
};

/** The path of a program, out of a line in which cargo tells what it has built. */
function readProgram(line: string): string | undefined {
  if (!line.startsWith("{")) return undefined;
  let message: { reason?: unknown; executable?: unknown; target?: { kind?: unknown } | null };
  try {
    message = JSON.parse(line) as typeof message;
  } catch {
    return undefined;
  }
  const { reason, executable, target } = message;
  const kinds = target?.kind;
  const isProgram = Array.isArray(kinds) && kinds.includes("bin");
  if (reason !== "compiler-artifact" || !isProgram || typeof executable !== "string")
    return undefined;
  return executable;
}
