import { fileURLToPath } from "node:url";
import type { FakePluginOptions } from "./fake-plugin-options.ts";

const path = fileURLToPath(new URL("fake-plugin.ts", import.meta.url));

/** Program and arguments of a fake plugin that behaves so; fits `PluginEntry.command`. */
export function toFakePluginCommand(options: FakePluginOptions = {}): readonly string[] {
  return [process.execPath, path, JSON.stringify(options)];
}

/** The same as one executable file, for places that take only a path: text of a shell script. */
export function toFakePluginScript(options: FakePluginOptions = {}): string {
  const quoted = toFakePluginCommand(options).map((part) => `'${part.replaceAll("'", "'\\''")}'`);
  return `#!/bin/sh\nexec ${quoted.join(" ")}\n`;
}
