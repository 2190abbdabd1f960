import { SourceError } from "../../base/errors.ts";
import type { Builder } from "./builder.ts";
import { findNodeProgram, readPackageFile } from "./node-program.ts";
import { lstat } from "node:fs/promises";
import { join } from "node:path";

/** Scripts npm runs while it installs. */
const installScripts: readonly string[] = [
  "preinstall",
  "install",
  "postinstall",
  "prepublish",
  "prepare",
];

/** `npm ci` or `npm install`, then `npm run build` when there is such a script. */
export const nodeBuilder: Builder = {
  kind: "node",
  matches: async ({ folder }) => (await readPackageFile(folder)) !== undefined,
  build: async (place, run) => {
    const { folder } = place;
    const file = await readPackageFile(folder);
    const scripts = file?.scripts ?? new Set();
    const isInstalled =
      file?.hasDependencies !== true && !installScripts.some((name) => scripts.has(name));
    if (!isInstalled) {
      const isLocked =
        (await isThere(folder, "package-lock.json")) ||
        (await isThere(folder, "npm-shrinkwrap.json"));
      await run({ command: ["npm", isLocked ? "ci" : "install", "--no-audit", "--no-fund"] });
    }
    if (scripts.has("build")) await run({ command: ["npm", "run", "build"] });
    if (file?.hasDevelopmentDependencies === true)
      await run({ command: ["npm", "prune", "--omit=dev", "--ignore-scripts"] });
    const program = await findNodeProgram(place);
    if (program !== undefined) return program;
    throw new SourceError(
      "SOURCE_BUILD_FAILED",
      "its package.json names nothing to run: it has neither `bin` nor `main` nor a script `start`",
    );
  },
};

async function isThere(folder: string, name: string): Promise<boolean> {
  return lstat(join(folder, name)).then(
    (info) => info.isFile(),
    () => false,
  );
}
