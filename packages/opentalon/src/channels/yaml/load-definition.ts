import { readFileSync, statSync } from "node:fs";
import { dirname, resolve, sep } from "node:path";
import { ChannelError, toMessage } from "../../base/errors.ts";
import type { ChannelDefinition } from "./definition.ts";
import { maxDefinitionBytes } from "./definition-cursor.ts";
import { readDefinition } from "./read-definition.ts";
import { readTools } from "./read-tools.ts";

export interface LoadedDefinition {
  readonly definition: ChannelDefinition;
  readonly warnings: readonly string[];
}

/**
 * Reads a channel's definition and the tools it names, at the start of the program; with `folder`, tools in that folder only.
 * @throws ChannelError CHANNEL_MISCONFIGURED with file, line and key.
 */
export function loadDefinition(file: string, folder?: string): LoadedDefinition {
  const { definition, toolsFile, warnings } = readDefinition(file, readText(file));
  if (toolsFile === "") return { definition: { ...definition, tools: [] }, warnings };
  const path = resolve(dirname(file), toolsFile);
  if (folder !== undefined && !path.startsWith(resolve(folder) + sep)) {
    throw new ChannelError(
      "CHANNEL_MISCONFIGURED",
      `${file} names tools outside of its folder, which a channel from a repository may not`,
    );
  }
  const read = readTools(path, readText(path));
  return {
    definition: { ...definition, tools: read.tools },
    warnings: [...warnings, ...read.warnings],
  };
}

function readText(file: string): string {
  try {
    if (statSync(file).size > maxDefinitionBytes)
      throw new Error(`it is larger than ${maxDefinitionBytes} bytes`);
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ChannelError("CHANNEL_MISCONFIGURED", `${file} cannot be read: ${toMessage(error)}`);
  }
}
