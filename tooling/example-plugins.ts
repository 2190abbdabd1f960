import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import {
  type PluginLanguage,
  writePluginProject,
} from "../packages/opentalon/src/cli/write-plugin-project.ts";

/** The plugins of `examples/08-four-languages`: what `opentalon plugin new` writes, so that they cannot fall behind it. */

const root = join(import.meta.dirname, "..");
export const exampleFolder = join(root, "examples/08-four-languages");

/** Contents of the files by path from `exampleFolder`. */
export async function writeExamplePlugins(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  // The one in TypeScript finds the SDK and Node in the checkout around it, and needs no project of its own.
  const template = join(root, "packages/plugin-sdk/templates/typescript/tool/src/main.ts");
  const source = await readFile(template, "utf8");
  files.set("typescript/main.ts", source.replaceAll("my-plugin", "hello-typescript"));
  for (const language of ["python", "go", "rust"] as const)
    for (const [path, text] of await writeExample(language)) files.set(path, text);
  return files;
}

async function writeExample(language: PluginLanguage): Promise<[path: string, text: string][]> {
  const folder = await mkdtemp(join(tmpdir(), "opentalon-example-"));
  try {
    const name = `hello-${language}`;
    await writePluginProject({ name, language, kind: "tool", folder, checkout: root });
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile());
    return await Promise.all(
      paths.map(async ({ parentPath, name: file }) => {
        const path = join(parentPath, file);
        const text = await readFile(path, "utf8");
        return [join(language, relative(folder, path)), text] satisfies [string, string];
      }),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}
