import type { Clock } from "../base/clock.ts";
import { PluginError } from "../base/errors.ts";
import type { GenerationMemory } from "./detect-generation.ts";
import type { OpenEndpointDependencies, PluginEndpoint } from "./open-endpoint.ts";
import { explainLoss, introduce, openEndpoint } from "./open-endpoint.ts";
import { loadGrpc, openPluginClient } from "./open-plugin-client.ts";
import { parseRemoteAddress } from "./plugin-address.ts";
import type { PluginClient } from "./plugin-client.ts";
import type { PluginDatabaseDependencies } from "./plugin-database.ts";
import { preparePluginDatabase } from "./plugin-database.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import type { RunningPlugin } from "./supervise.ts";
import { isPluginName, toPluginCapabilities } from "./to-capabilities.ts";

export interface OpenPluginDependencies
  extends OpenEndpointDependencies, PluginDatabaseDependencies {
  readonly generations: GenerationMemory;
  readonly maxMessageBytes: number;
}

const maxCallsAtOnce = 256;

/**
 * Starts a plugin once, from its process to its list of actions; or connects to one that runs elsewhere.
 * @throws PluginError; nothing of the plugin is left then.
 */
export async function openPlugin(
  entry: PluginEntry,
  dependencies: OpenPluginDependencies,
  signal: AbortSignal,
): Promise<RunningPlugin> {
  const { key, command, configJson = "{}" } = entry;
  const { clock, generations, log } = dependencies;
  const endpoint = await openEndpoint(
    await preparePluginDatabase(entry, dependencies, signal),
    dependencies,
    signal,
  );
  return introduce(entry, endpoint, clock, signal, async (deadline) => {
    let client: PluginClient | undefined;
    try {
      client = await connect(entry, dependencies, endpoint, deadline);
      await client.init(configJson, deadline);
      const capabilities = toPluginCapabilities(await client.capabilities(deadline), key, log);
      if (!isPluginName(capabilities.name)) {
        const problem = `the plugin "${key}" reports a name no action can be called by: ${JSON.stringify(capabilities.name.slice(0, 100))}`;
        throw new PluginError(key, "protocol-violated", problem);
      }
      return createRunning(key, client, capabilities, endpoint, clock);
    } catch (error) {
      generations.forget(command);
      await client?.[Symbol.asyncDispose]();
      throw error;
    }
  });
}

/** A plugin that runs elsewhere speaks gRPC; what one of ours speaks has to be found out. */
async function connect(
  { key, command, maxMessageBytes }: PluginEntry,
  dependencies: OpenPluginDependencies,
  { address, doubt: onDoubt }: PluginEndpoint,
  signal: AbortSignal,
): Promise<PluginClient> {
  const { clock, generations } = dependencies;
  const options = {
    plugin: key,
    address,
    clock,
    onDoubt,
    maxMessageBytes: maxMessageBytes ?? dependencies.maxMessageBytes,
  };
  if (parseRemoteAddress(key, command) === undefined)
    return openPluginClient({ ...options, command, generations, signal });
  const { createGrpcPluginClient } = await loadGrpc();
  return createGrpcPluginClient(options);
}

function createRunning(
  key: string,
  client: PluginClient,
  capabilities: RunningPlugin["capabilities"],
  { gone, stop }: Pick<PluginEndpoint, "gone" | "stop">,
  clock: Clock,
): RunningPlugin {
  let calls = 0;
  const call = capabilities.supportsCallbacks
    ? (client.executeWithCallbacks ?? client.execute)
    : client.execute;
  return {
    capabilities,
    gone,
    execute: async (execution) => {
      if (calls >= maxCallsAtOnce) {
        throw new PluginError(
          key,
          "unavailable",
          `the plugin "${key}" is busy with ${calls} calls; try again later`,
        );
      }
      calls += 1;
      try {
        const signal = AbortSignal.any([execution.signal, gone]);
        return await call({ ...execution, signal }, capabilities.name);
      } catch (error) {
        throw execution.signal.aborted ? error : await explainLoss(error, gone, clock);
      } finally {
        calls -= 1;
      }
    },
    stop: async () => {
      await client[Symbol.asyncDispose]();
      await stop();
    },
  };
}
