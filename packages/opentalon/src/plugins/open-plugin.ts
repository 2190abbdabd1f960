import { parseHostAndPort } from "@opentalon/protocol";
import type { Clock } from "../base/clock.ts";
import { PluginError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Execution, RawToolResult } from "../domain/plugin.ts";
import { createCallsUnderWay } from "./calls-under-way.ts";
import { toAbortError } from "./deadline.ts";
import type { GenerationMemory } from "./detect-generation.ts";
import type { OpenEndpointDependencies, PluginEndpoint } from "./open-endpoint.ts";
import { explainLoss, introduce, openEndpoint } from "./open-endpoint.ts";
import { loadGrpc, openPluginClient } from "./open-plugin-client.ts";
import type { PluginClient } from "./plugin-client.ts";
import type { PluginDatabaseDependencies } from "./plugin-database.ts";
import { preparePluginDatabase } from "./plugin-database.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import { readRemoteAccess } from "./remote-access.ts";
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
      return createRunning({ ...entry, log, clock, client, capabilities }, endpoint);
    } catch (error) {
      generations.forget(command);
      await client?.[Symbol.asyncDispose]();
      throw error;
    }
  });
}

/** A plugin that runs elsewhere speaks gRPC; what one of ours speaks has to be found out. */
async function connect(
  entry: PluginEntry,
  dependencies: OpenPluginDependencies,
  { address, isRemote, doubt: onDoubt }: PluginEndpoint,
  signal: AbortSignal,
): Promise<PluginClient> {
  const { key, command, maxMessageBytes } = entry;
  const { clock, generations } = dependencies;
  const options = {
    plugin: key,
    address,
    clock,
    onDoubt,
    maxMessageBytes: maxMessageBytes ?? dependencies.maxMessageBytes,
  };
  if (!isRemote) return openPluginClient({ ...options, command, generations, signal });
  const [{ createGrpcPluginClient }, access] = await Promise.all([
    loadGrpc(),
    readRemoteAccess(entry),
  ]);
  return createGrpcPluginClient({ ...options, access });
}

function createRunning(
  { key, httpPort, log, clock, client, capabilities }: Introduced,
  { isRemote, address, pid, gone, stop }: PluginEndpoint,
): RunningPlugin {
  const calls = createCallsUnderWay(clock);
  const { name } = capabilities;
  let { supportsCallbacks } = capabilities;
  const run = (execution: Execution, server: string): Promise<RawToolResult> =>
    supportsCallbacks && client.executeWithCallbacks !== undefined
      ? client.executeWithCallbacks(execution, server)
      : client.execute(execution, server);
  /** A lost connection ends the calls over it by itself; a process that ended is known before its connections are. */
  const end = (): void => client.end(toAbortError(key, gone));
  if (gone.aborted) end();
  else if (!isRemote) gone.addEventListener("abort", end, { once: true });
  return {
    capabilities,
    isRemote,
    webAddress: toWebAddress(address.httpAddress, httpPort, log),
    pid,
    gone,
    calls,
    check: client.check,
    refresh: async (signal) => {
      const reported = await client.refresh(signal);
      if (reported !== undefined) ({ supportsCallbacks } = reported);
      // It keeps its name for as long as it runs: others may count on it.
      return reported && toPluginCapabilities({ ...reported, name }, key, log);
    },
    execute: async (execution) => {
      if (calls.count() >= maxCallsAtOnce) {
        const problem = `the plugin "${key}" is busy with ${calls.count()} calls; try again later`;
        throw new PluginError(key, "unavailable", problem);
      }
      try {
        return await calls.track(execution.timeoutMs, () =>
          run(execution, execution.server ?? name),
        );
      } catch (error) {
        if (isRemote || execution.signal.aborted) throw error;
        throw await explainLoss(error, gone, clock);
      }
    },
    stop: async () => {
      await client[Symbol.asyncDispose]();
      await stop();
    },
  };
}

/**
 * The address a plugin says it serves web pages at, when the operator gave it that port: otherwise it could open the door
 * to any other program on this machine.
 */
function toWebAddress(
  address: string | undefined,
  port: number | undefined,
  log: Log,
): string | undefined {
  if (address === undefined || parseHostAndPort(address)?.port === port) return address;
  log.warn(
    { address },
    "The plugin serves web pages at another port than `http_port`; they are not passed on",
  );
  return undefined;
}

interface Introduced extends Pick<PluginEntry, "key" | "httpPort"> {
  readonly log: Log;
  readonly clock: Clock;
  readonly client: PluginClient;
  readonly capabilities: RunningPlugin["capabilities"];
}
