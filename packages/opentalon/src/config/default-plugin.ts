import * as z from "zod/mini";
import type { Config } from "./config-schema.ts";
import { plugin } from "./plugin-keys.ts";

/** The settings of a plugin that has no entry below `plugins:`. */
export function createDefaultPlugin(): Config["plugins"][string] {
  return z.parse(plugin.schema(), {});
}
