import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { findStaleFiles } from "../packages/opentalon/src/config/write-reference.ts";

/** Writes the pages of docs/reference that are made from the schema of the configuration; part of `make generate`. */
for (const { path, text } of await findStaleFiles()) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  console.log(`wrote ${path}`);
}
