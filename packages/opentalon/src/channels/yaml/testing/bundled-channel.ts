import { join } from "node:path";
import { systemClock } from "../../../base/clock.ts";
import { createSilentLog } from "../../../base/create-log.ts";
import { loadDefinition } from "../load-definition.ts";
import { createVolatileMemory } from "./volatile-memory.ts";
import { createYamlChannel, type YamlChannel, type YamlChannelOptions } from "../yaml-channel.ts";

/** Where the definitions lie that come with the program. */
export const bundledChannels = join(import.meta.dirname, "../../../../../../channels");

/** A channel as its bundled definition describes it. */
export function createBundledChannel(
  id: string,
  config: Readonly<Record<string, unknown>>,
  more: Partial<YamlChannelOptions> = {},
): YamlChannel {
  const { definition } = loadDefinition(join(bundledChannels, id, "channel.yaml"));
  return createYamlChannel({
    name: `my-${id}`,
    definition,
    config,
    environment: {},
    memory: createVolatileMemory(),
    doorChecksCallers: false,
    clock: systemClock,
    log: createSilentLog(),
    ...more,
  });
}
