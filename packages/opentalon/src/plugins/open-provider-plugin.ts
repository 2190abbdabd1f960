import { PluginError } from "../base/errors.ts";
import type { OpenEndpointDependencies } from "./open-endpoint.ts";
import { explainLoss, introduce, openEndpoint } from "./open-endpoint.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import type { ProviderClient, ReportedModel } from "./provider-client.ts";
import { readRemoteAccess } from "./remote-access.ts";
import type { RunningPlugin } from "./supervise.ts";

/** A provider plugin that runs and has said which models it has; as a plugin it offers no tools. */
export interface RunningProviderPlugin extends RunningPlugin {
  readonly models: readonly ReportedModel[];
  readonly complete: ProviderClient["complete"];
}

export interface OpenProviderPluginDependencies extends OpenEndpointDependencies {
  readonly maxMessageBytes: number;
  /** For the question which models there are; empty for none. */
  readonly credential: string;
}

const maxCallsAtOnce = 256;

/**
 * Starts a provider plugin once, from its process to its list of models; or connects to one that runs elsewhere.
 * @throws PluginError; nothing of the plugin is left then.
 */
export async function openProviderPlugin(
  entry: PluginEntry,
  dependencies: OpenProviderPluginDependencies,
  signal: AbortSignal,
): Promise<RunningProviderPlugin> {
  const { key, configJson = "{}" } = entry;
  const { clock, credential, maxMessageBytes } = dependencies;
  const endpoint = await openEndpoint(entry, dependencies, signal);
  const { address, gone, doubt: onDoubt } = endpoint;
  return introduce(entry, endpoint, clock, signal, async (deadline) => {
    let client: ProviderClient | undefined;
    try {
      const { createGrpcProviderClient } = await import("./grpc-provider-client.ts");
      const access = await readRemoteAccess(entry);
      client = createGrpcProviderClient({ plugin: key, address, access, maxMessageBytes, onDoubt });
      await client.init(configJson, deadline);
      const models = await client.models(credential, deadline);
      return createRunning(key, client, models, endpoint, async (error) =>
        explainLoss(error, gone, clock),
      );
    } catch (error) {
      await client?.[Symbol.asyncDispose]();
      throw error;
    }
  });
}

function createRunning(
  key: string,
  client: ProviderClient,
  models: readonly ReportedModel[],
  { gone, stop }: Pick<RunningPlugin, "gone" | "stop">,
  explain: (error: unknown) => Promise<unknown>,
): RunningProviderPlugin {
  let calls = 0;
  const refuse = (problem: string): PluginError =>
    new PluginError(key, "unavailable", `the plugin "${key}" ${problem}`);
  return {
    capabilities: {
      name: key,
      description: "",
      tools: [],
      systemPromptAddition: "",
      supportsCallbacks: false,
    },
    models,
    gone,
    execute: () => Promise.reject(refuse("is a provider of models and has no tools")),
    complete: async (completion, options) => {
      if (calls >= maxCallsAtOnce) throw refuse(`is busy with ${calls} calls; try again later`);
      calls += 1;
      try {
        const signal = AbortSignal.any([options.signal, gone]);
        await client.complete(completion, { ...options, signal });
      } catch (error) {
        throw options.signal.aborted ? error : await explain(error);
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
