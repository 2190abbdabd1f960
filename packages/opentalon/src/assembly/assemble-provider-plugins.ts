import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { type Config, type Environment, revealBlock } from "../config/load-config.ts";
import type { Model } from "../domain/model.ts";
import type { ReportedModel } from "../plugins/provider-client.ts";
import {
  createProviderPlugins,
  type ProviderPlugin,
  type ProviderPluginEntry,
} from "../plugins/provider-plugins.ts";
import { toToldModels } from "../providers/plugin/told-models.ts";
import { toPluginModels } from "./configured-providers.ts";
import { toLimits } from "./plugin-entries.ts";

type ConfiguredProvider = Config["models"]["providers"][string];

export interface ConfiguredPlugins extends AsyncDisposable {
  /** The program that speaks for a provider; `undefined` where none does. */
  readonly pluginOf: (provider: string) => ProviderPlugin | undefined;
  /** Starts all side by side, in the background. */
  readonly start: () => void;
  /** Resolves when those have answered that alone know their models, or had their time. Never rejects. */
  readonly settled: Promise<void>;
  /** All of them, with the reason, while no provider can be asked; one that is away is what failover is for. */
  readonly findUnready: () => readonly string[];
}

export interface AssembleProviderPluginsOptions {
  readonly config: Config;
  readonly usable: readonly (readonly [string, ConfiguredProvider])[];
  readonly environment: Environment;
  /** Told whenever a program has said which models its provider has. */
  readonly onModels: (provider: string, models: readonly Model[]) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** The programs that answer for models, as the configuration names them. */
export function assembleProviderPlugins(
  options: AssembleProviderPluginsOptions,
): ConfiguredPlugins {
  const { config, usable, environment, clock, log } = options;
  const own = usable.filter(([, { plugin }]) => plugin !== "");
  const host = createProviderPlugins({
    entries: own.map((entry) => toEntry(entry, options)),
    environment,
    stateDirectory: config.state.dataDir,
    clock,
    log,
  });
  const plugins = new Map(host.plugins.map((plugin) => [plugin.key, plugin]));
  const awaited = own.flatMap(([name, { models }]) => {
    const plugin = plugins.get(name);
    return plugin === undefined || models.length > 0 ? [] : [plugin.settled];
  });
  return {
    pluginOf: (provider) => plugins.get(provider),
    start: host.start,
    settled: Promise.all(awaited).then(() => undefined),
    findUnready: () => {
      const statuses = host.statuses();
      const isServed =
        own.length < usable.length || statuses.some(({ state }) => state === "ready");
      if (isServed) return [];
      return statuses.map(
        ({ key, problem }) => `provider ${key}${problem === "" ? "" : `: ${problem}`}`,
      );
    },
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

function toEntry(
  [name, provider]: readonly [string, ConfiguredProvider],
  { config, onModels, log }: AssembleProviderPluginsOptions,
): ProviderPluginEntry {
  const { plugin, arguments: given, env, apiKeys, dialTimeoutMs } = provider;
  const isRemote = /^grpc:\/\//i.test(plugin);
  if (isRemote && apiKeys.length > 0) {
    log.warn(
      { provider: name },
      "the credential of this provider goes to its plugin over a connection that is not encrypted",
    );
  }
  return {
    key: name,
    command: isRemote ? plugin : [plugin, ...given],
    env,
    configJson: JSON.stringify(revealBlock(provider.config)),
    dialTimeoutMs,
    limits: toLimits(config, undefined),
    credential: apiKeys[0],
    onModels: (reported: readonly ReportedModel[]) => {
      const told = toToldModels(reported);
      if (told.size === 0 && provider.models.length === 0) {
        const problem =
          "this provider's plugin names no models; list them below models: of the provider";
        log.warn({ provider: name }, problem);
      }
      onModels(name, toPluginModels(name, provider, config, told));
    },
  };
}
