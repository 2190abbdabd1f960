import type { Clock } from "../base/clock.ts";
import { ConfigError, toMessage } from "../base/errors.ts";
import type { Secret } from "../base/secret.ts";
import type { ProviderPlugin } from "../plugins/provider-plugins.ts";
import { createAnthropicAdapter } from "./sdk/anthropic-adapter.ts";
import { createBedrockAdapter } from "./sdk/bedrock-adapter.ts";
import type { BedrockAdapterOptions } from "./sdk/bedrock-adapter.ts";
import { createDemoAdapter } from "./demo-adapter.ts";
import { createGoogleAdapter } from "./sdk/google-adapter.ts";
import type { ModelAdapter, ModelCallLimits } from "./model-adapter.ts";
import { createOpenAiCompatibleAdapter } from "./chat-completions/openai-compatible-adapter.ts";
import { createOpenAiResponsesAdapter } from "./sdk/openai-responses-adapter.ts";
import { createPluginAdapter } from "./plugin/plugin-adapter.ts";
import type { PluginAdapterOptions } from "./plugin/plugin-adapter.ts";
import type { ProviderApi, ProviderOptions, RetryOptions } from "./provider-options.ts";
import { createVertexAdapter } from "./sdk/vertex-adapter.ts";

/** A configured provider with the adapter that speaks its API. */
export interface Provider {
  readonly name: string;
  readonly adapter: ModelAdapter;
  /** In order of preference; empty for servers that want none. */
  readonly credentials: readonly Secret[];
  readonly retry: RetryOptions;
}

export interface Providers extends AsyncDisposable {
  readonly providers: readonly Provider[];
}

export interface CreateProvidersOptions {
  readonly providers: readonly ProviderOptions[];
  readonly clock: Clock;
  readonly limits?: Partial<ModelCallLimits>;
}

/**
 * Joins every configured provider with its adapter. Opens no connection. Disposal cancels calls under way.
 * @throws ConfigError when a base URL is none.
 */
export function createProviders({
  providers,
  clock,
  limits = {},
}: CreateProvidersOptions): Providers {
  const joined = providers.map((provider): Provider => {
    const { name, api, baseUrl, cloud, plugin, credentials, retry } = provider;
    const options = { clock, limits, cloud, ...(baseUrl === undefined ? {} : { baseUrl }) };
    const createAdapter = (): ModelAdapter =>
      api === "plugin" ? toPluginAdapter(plugin, options) : adapterByApi[api](options);
    return { name, adapter: forProvider(name, createAdapter), credentials, retry };
  });
  return {
    providers: joined,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(joined.map(({ adapter }) => adapter[Symbol.asyncDispose]()));
    },
  };
}

/** None of these loads an SDK before its first call. */
const adapterByApi: Readonly<
  Record<Exclude<ProviderApi, "plugin">, (options: BedrockAdapterOptions) => ModelAdapter>
> = {
  "openai-completions": createOpenAiCompatibleAdapter,
  "openai-responses": createOpenAiResponsesAdapter,
  "anthropic-messages": createAnthropicAdapter,
  "google-generative-ai": createGoogleAdapter,
  "google-vertex": createVertexAdapter,
  "bedrock-converse": createBedrockAdapter,
  demo: createDemoAdapter,
};

function toPluginAdapter(
  plugin: ProviderPlugin | undefined,
  options: Omit<PluginAdapterOptions, "plugin">,
): ModelAdapter {
  if (plugin === undefined) throw new ConfigError("CONFIG_INVALID", "there is no plugin to ask");
  return createPluginAdapter({ ...options, plugin });
}

/** Says whose setting it is that is wrong. */
function forProvider<Result>(name: string, create: () => Result): Result {
  try {
    return create();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.code, `provider ${name}: ${toMessage(error)}`, { cause: error });
  }
}
