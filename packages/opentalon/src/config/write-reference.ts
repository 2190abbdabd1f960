import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { configKey, keysWithoutEffect } from "./config-schema.ts";
import { toReferencePage } from "./reference-page.ts";
import { toJsonSchema } from "./to-json-schema.ts";

/** A file made from the schema. */
export interface ReferenceFile {
  readonly path: string;
  readonly text: string;
}

/** The page and the JSON Schema as they should be. */
export function createReferenceFiles(): readonly ReferenceFile[] {
  const folder = new URL("../../../../docs/reference/", import.meta.url);
  const schema = `${JSON.stringify(toJsonSchema(configKey, keysWithoutEffect), undefined, 2)}\n`;
  return [
    {
      path: fileURLToPath(new URL("configuration.md", folder)),
      text: toReferencePage(configKey, keysWithoutEffect),
    },
    { path: fileURLToPath(new URL("config.schema.json", folder)), text: schema },
  ];
}

/** Those that are not on disk as they should be. */
export async function findStaleFiles(): Promise<readonly ReferenceFile[]> {
  const files = createReferenceFiles();
  const current = await Promise.all(
    files.map(({ path }) => readFile(path, "utf8").catch(() => "")),
  );
  return files.filter(({ text }, index) => text !== current[index]);
}

/** Run as a program: writes both files, or with `--check` fails and names those that are stale. */
if (import.meta.main) {
  const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
  const stale = await findStaleFiles();
  if (!values.check) await Promise.all(stale.map(({ path, text }) => writeFile(path, text)));
  else if (stale.length > 0)
    throw new Error(`run write-reference.ts, stale: ${stale.map(({ path }) => path).join(", ")}`);
}
