import { cp } from "node:fs/promises";
import { basename } from "node:path";

/** What a folder somebody works in holds besides sources, at any depth. */
export const besideSources: ReadonlySet<string> = new Set([
  ".git",
  ".venv",
  ".opentalon-venv",
  "__pycache__",
  "node_modules",
  "target",
]);

/** Copies the sources of a folder; links stay links. */
export async function copySources(from: string, to: string): Promise<void> {
  await cp(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    preserveTimestamps: true,
    filter: (path) => path === from || !besideSources.has(basename(path)),
  });
}
