import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { exampleFolder, writeExamplePlugins } from "./example-plugins.ts";

/** Writes the plugins of `examples/08-four-languages`; part of `make generate`. */
for (const [path, text] of await writeExamplePlugins()) {
  const file = join(exampleFolder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
