import type { Clock } from "../base/clock.ts";
import { createIdentifier } from "../base/identifier.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config/load-config.ts";
import type { Model } from "../domain/model.ts";
import { demoModel } from "../providers/demo-adapter.ts";
import { createModelCaller, type ModelCaller } from "../providers/call-model.ts";
import { createProviders } from "../providers/create-providers.ts";
import type { CooldownOptions } from "../providers/cooldown.ts";
import { createCredentialPools } from "../providers/credential-pools.ts";
import { ollamaBaseUrl, probeOllama } from "../providers/ollama-probe.ts";
import { defaultRetryOptions, type ProviderOptions } from "../providers/provider-options.ts";
import { type TextToolLanguage, withTextTools } from "../providers/text-tools-adapter.ts";
import { createRouter, type Router } from "../routing/router.ts";
import { renderTools } from "../tools/render-tools.ts";
import { parseTextReply } from "../tools/text-tool-calls.ts";
import type { KeyValueStore } from "../store/ports.ts";
import { createToolCallFilter } from "../tools/tool-call-filter.ts";

export interface Models extends AsyncDisposable {
  readonly callModel: ModelCaller;
  readonly router: Router;
  /** Looks for local model servers worth offering; only when nothing else is configured. Never rejects. */
  readonly offerLocalModels: () => Promise<void>;
}

export interface AssembleModelsOptions {
  readonly config: Config;
  /** Remembers which credentials rest; absent in tests that do not restart. */
  readonly keyValue?: Pick<KeyValueStore, "get" | "set">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Providers, routing and the walk over both; the demo model takes the place of a real one when no provider has a key. */
export function assembleModels({ config, keyValue, clock, log }: AssembleModelsOptions): Models {
  const usable = findUsableProviders(config);
  const isDemo = usable.length === 0;
  const models: Model[] = isDemo
    ? [demoModel]
    : usable.flatMap(([name, provider]) => toModels(name, provider, config));
  const providerOptions = isDemo
    ? demoProviders
    : usable.map(([name, provider]) => toProviderOptions(name, provider, config));
  const { providers, [Symbol.asyncDispose]: dispose } = createProviders({
    providers: providerOptions,
    clock,
    limits: {
      firstTokenTimeoutMs: config.agent.firstTokenTimeoutMs,
      idleTimeoutMs: config.agent.idleTimeoutMs,
    },
  });
  const pools = createCredentialPools({
    providers: providerOptions,
    order: config.auth.order,
    cooldowns: toCooldowns(config),
    keyValue,
    clock,
    log,
  });
  if (isDemo) {
    log.warn(
      "no model provider has a key: the built-in demo model answers, without a network and marked [demo]; set for example DEEPSEEK_API_KEY or OPENAI_API_KEY for a real one",
    );
  }
  return {
    callModel: createModelCaller({
      providers: providers.map((provider) => ({
        ...provider,
        adapter: withTextTools(provider.adapter, textTools),
      })),
      pools,
      clock,
      log,
    }),
    router: createRouter({
      models: () => models,
      primary: isDemo || config.routing.primary === "" ? undefined : config.routing.primary,
      fallbacks: config.routing.fallbacks,
      aliases: toAliases(config),
    }),
    offerLocalModels: async () => {
      if (!isDemo) return;
      const names = await probeOllama();
      const found = names.map((id) => toUnlistedModel("ollama", id));
      models.push(...found);
      const [first] = found;
      if (first !== undefined)
        log.warn(`Ollama runs on this machine: type /model ${first.name} to let it answer`);
    },
    [Symbol.asyncDispose]: async () => {
      await dispose();
      await pools[Symbol.asyncDispose]();
    },
  };
}

const textTools: TextToolLanguage = {
  describe: renderTools,
  parse: (reply) => parseTextReply(reply, { createCallId: () => `call-${createIdentifier()}` }),
  createFilter: createToolCallFilter,
};

type ConfiguredProvider = Config["models"]["providers"][string];

const demoProviders: readonly ProviderOptions[] = [
  { name: "demo", api: "demo", credentials: [], retry: defaultRetryOptions, models: [demoModel] },
  {
    name: "ollama",
    api: "openai-completions",
    baseUrl: `${ollamaBaseUrl}/v1`,
    credentials: [],
    retry: defaultRetryOptions,
    models: [],
  },
];

function findUsableProviders(config: Config): readonly [string, ConfiguredProvider][] {
  return Object.entries(config.models.providers).filter(
    ([, { unconfigured }]) => unconfigured === undefined,
  );
}

function toProviderOptions(
  name: string,
  provider: ConfiguredProvider,
  config: Config,
): ProviderOptions {
  const { maxAttempts, baseDelayMs, maxDelayMs, maxTotalWaitMs } = provider.retry;
  return {
    name,
    api: provider.api,
    ...(provider.baseUrl === "" ? {} : { baseUrl: provider.baseUrl }),
    credentials: provider.apiKeys,
    retry: { maxAttempts, initialDelayMs: baseDelayMs, maxDelayMs, maxTotalMs: maxTotalWaitMs },
    models: toModels(name, provider, config),
  };
}

function toCooldowns({ auth: { cooldowns } }: Config): CooldownOptions {
  const { initialMs, maxMs, multiplier, billingMaxHours } = cooldowns;
  return { initialMs, maxMs, multiplier, billingMaxMs: billingMaxHours * 3_600_000 };
}

/** The listed models, and those that routing or the catalogue name without their being listed. */
function toModels(
  provider: string,
  { models }: ConfiguredProvider,
  { routing, models: { catalog } }: Config,
): readonly Model[] {
  const listed = models.map(
    ({ id, features, contextWindow, maxTokens, cost, reasoningEffort }) => ({
      name: `${provider}/${id}`,
      provider,
      id,
      // Nearly every model calls tools natively today; one that lists its features and leaves `tools` out does not.
      nativeTools: features.length === 0 || features.includes("tools"),
      contextWindow,
      maxTokens,
      cost,
      reasoningEffort: reasoningEffort === "" ? undefined : reasoningEffort,
    }),
  );
  const named = [routing.primary, ...routing.fallbacks, ...Object.keys(catalog)]
    .filter(
      (name) => name.startsWith(`${provider}/`) && !listed.some((model) => model.name === name),
    )
    .map((name) => toUnlistedModel(provider, name.slice(provider.length + 1)));
  const all = [...listed, ...named];
  return all.length > 0 ? all : [toUnlistedModel(provider, "default")];
}

function toUnlistedModel(provider: string, id: string): Model {
  return { ...demoModel, name: `${provider}/${id}`, provider, id };
}

function toAliases(config: Config): Readonly<Record<string, string>> {
  const entries = Object.entries(config.models.catalog).map(
    ([name, { alias }]) => [alias, name] as const,
  );
  return Object.fromEntries(entries.filter(([alias]) => alias !== ""));
}
