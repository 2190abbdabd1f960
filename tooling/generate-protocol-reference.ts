import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { protocolFolder, renderProtocolPages } from "./protocol-reference.ts";

/** Writes docs/reference/protocol; part of `make generate`. */
await mkdir(protocolFolder, { recursive: true });
for (const [name, text] of renderProtocolPages()) await writeFile(join(protocolFolder, name), text);
