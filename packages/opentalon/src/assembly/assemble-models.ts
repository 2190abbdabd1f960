import { createRequestFitter } from "../agent/request-fitter.ts";
import type { Clock } from "../base/clock.ts";
import { createIdentifier } from "../base/identifier.ts";
import type { Log } from "../base/log.ts";
import type { Config, Environment } from "../config/load-config.ts";
import type { Model } from "../domain/model.ts";
import { demoModel } from "../providers/demo-adapter.ts";
import { createModelCaller, type ModelCaller } from "../providers/calling/call-model.ts";
import { createProviders } from "../providers/create-providers.ts";
import type { CooldownOptions } from "../providers/credentials/cooldown.ts";
import { createCredentialPools } from "../providers/credentials/credential-pools.ts";
import { createHealthGate, type HealthGate } from "../providers/calling/health-gate.ts";
import { ollamaBaseUrl, probeOllama } from "../providers/calling/ollama-probe.ts";
import { createProbe } from "../providers/calling/probe-provider.ts";
import { defaultRetryOptions, type ProviderOptions } from "../providers/provider-options.ts";
import { type TextToolLanguage, withTextTools } from "../providers/text-tools-adapter.ts";
import type { Router } from "../routing/router.ts";
import { renderTools } from "../tools/render-tools.ts";
import { parseTextReply } from "../tools/text-tool-calls.ts";
import type { KeyValueStore, PostedMessages, RoutingStore } from "../store/ports.ts";
import { assembleProviderPlugins } from "./assemble-provider-plugins.ts";
import { assembleRouting, type Routing } from "./assemble-routing.ts";
import { assembleSignIns } from "./assemble-sign-ins.ts";
import { createToolCallFilter } from "../tools/tool-call-filter.ts";
import { toProviderOptions, toUnlistedModel } from "./configured-providers.ts";

export interface Models extends AsyncDisposable {
  readonly callModel: ModelCaller;
  readonly router: Router;
  readonly routing: Routing;
  /** Resolves when the models of provider plugins are known, within a bound. Never rejects. */
  readonly settled: Promise<void>;
  /** Provider plugins by name, while there is nothing else to ask and none of them is ready. */
  readonly findUnready: () => readonly string[];
  /** Looks for local model servers worth offering; only when nothing else is configured. Never rejects. */
  readonly offerLocalModels: () => Promise<void>;
}

export interface AssembleModelsOptions {
  readonly config: Config;
  /** Remembers which credentials rest; absent in tests that do not restart. */
  readonly keyValue?: Pick<KeyValueStore, "get" | "set">;
  /** Of this program; provider plugins get only a few names of it. */
  readonly environment?: Environment;
  /** What routing learns from; absent where nothing is to be learnt. */
  readonly routingStore?: RoutingStore;
  /** Where reactions find the answer they are about. */
  readonly posted?: PostedMessages;
  /** Name of the model for all messages for which nobody chose another one. */
  readonly preferredModel?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Providers, routing and the walk over both; the demo model takes the place of a real one when no provider has a key. */
export function assembleModels(options: AssembleModelsOptions): Models {
  const { config, keyValue, routingStore, clock, log } = options;
  const usable = findUsableProviders(config);
  const isDemo = usable.length === 0;
  const plugins = assembleProviderPlugins({
    config,
    usable,
    environment: options.environment ?? {},
    onModels: (provider, next) => replaceModels(models, provider, next),
    clock,
    log,
  });
  const providerOptions = isDemo
    ? demoProviders
    : usable.map(([name, provider]) => ({
        ...toProviderOptions(name, provider, config),
        plugin: plugins.pluginOf(name),
      }));
  const signIns = assembleSignIns({ config, clock, log });
  const models: Model[] = providerOptions.flatMap((provider) => provider.models);
  const { providers, [Symbol.asyncDispose]: dispose } = createProviders({
    providers: providerOptions,
    clock,
    limits: {
      firstTokenTimeoutMs: config.agent.firstTokenTimeoutMs,
      idleTimeoutMs: config.agent.idleTimeoutMs,
    },
  });
  const pools = createCredentialPools({
    providers: providerOptions.map((each) => ({ ...each, tokens: signIns.sourceOf(each.name) })),
    order: config.auth.order,
    cooldowns: toCooldowns(config),
    keyValue,
    clock,
    log,
  });
  // With one model there is nothing to try first, so nothing is watched; a plugin may tell of more.
  const mayHaveMany = models.length > 1 || providerOptions.some(({ api }) => api === "plugin");
  const health = mayHaveMany ? createGate(providerOptions, config, clock, log) : undefined;
  if (isDemo) {
    log.warn(
      `no model provider has a key: the built-in demo model answers, without a network and marked [demo]; set ${toMissingKeys(config)} for a real one`,
    );
  }
  const routing = assembleRouting({
    config,
    models: () => models,
    preferred: options.preferredModel,
    store: routingStore,
    posted: options.posted,
    clock,
    log,
  });
  plugins.start();
  return {
    callModel: createModelCaller({
      providers: providers.map((provider) => ({
        ...provider,
        adapter: withTextTools(provider.adapter, textTools),
      })),
      pools,
      fitter: createRequestFitter(),
      health,
      clock,
      log,
    }),
    router: routing.router,
    routing,
    settled: plugins.settled,
    findUnready: plugins.findUnready,
    offerLocalModels: async () => {
      if (!isDemo) return;
      const names = await probeOllama();
      const found = names.map((id) => toUnlistedModel(localOllama, id));
      models.push(...found);
      const [first] = found;
      if (first !== undefined)
        log.warn(`Ollama runs on this machine: type /model ${first.name} to let it answer`);
    },
    [Symbol.asyncDispose]: async () => {
      await routing[Symbol.asyncDispose]();
      await health?.[Symbol.asyncDispose]();
      await dispose();
      await plugins[Symbol.asyncDispose]();
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

const localOllama = {
  name: "ollama",
  api: "openai-completions",
  baseUrl: `${ollamaBaseUrl}/v1`,
} as const;

const demoProviders: readonly ProviderOptions[] = [
  { name: "demo", api: "demo", credentials: [], retry: defaultRetryOptions, models: [demoModel] },
  { ...localOllama, credentials: [], retry: defaultRetryOptions, models: [] },
];

/** What a provider offers now takes the place of what was known of it. */
function replaceModels(models: Model[], provider: string, next: readonly Model[]): void {
  const at = models.findIndex((model) => model.provider === provider);
  const before = models.slice(0, Math.max(at, 0));
  const others = models.filter((model) => model.provider !== provider);
  models.splice(0, models.length, ...before, ...next, ...others.slice(before.length));
}

function findUsableProviders(config: Config): readonly [string, ConfiguredProvider][] {
  return Object.entries(config.models.providers).filter(
    ([, { unconfigured }]) => unconfigured === undefined,
  );
}

/** Variables that the configuration waits for, or well-known ones where it names none. */
function toMissingKeys({ models: { providers } }: Config): string {
  const missing = Object.values(providers).flatMap(
    ({ unconfigured }) => unconfigured?.variable ?? [],
  );
  const names = [...new Set(missing)];
  if (names.length === 1) return names.join("");
  const [first = "DEEPSEEK_API_KEY", second = "OPENAI_API_KEY"] = names;
  return `for example ${first} or ${second}`;
}

function toCooldowns({ auth: { cooldowns } }: Config): CooldownOptions {
  const { initialMs, maxMs, multiplier, billingMaxHours } = cooldowns;
  return { initialMs, maxMs, multiplier, billingMaxMs: billingMaxHours * 3_600_000 };
}

function createGate(
  providers: readonly ProviderOptions[],
  { routing }: Config,
  clock: Clock,
  log: Log,
): HealthGate {
  const { path, timeoutMs, intervalMs, recoverAfter } = routing.health;
  const probes = providers.map(
    (provider) => [provider.name, createProbe({ provider, path, timeoutMs, clock })] as const,
  );
  return createHealthGate({ probes: new Map(probes), intervalMs, recoverAfter, clock, log });
}
