import type { Clock } from "../base/clock.ts";
import { ConfigError, toMessage } from "../base/errors.ts";
import type { Secret } from "../base/secret.ts";
import { createAnthropicAdapter } from "./anthropic-adapter.ts";
import { createDemoAdapter } from "./demo-adapter.ts";
import { createGoogleAdapter } from "./google-adapter.ts";
import type { ModelAdapter, ModelCallLimits } from "./model-adapter.ts";
import { createOpenAiCompatibleAdapter } from "./openai-compatible-adapter.ts";
import { createOpenAiResponsesAdapter } from "./openai-responses-adapter.ts";
import type { ProviderApi, ProviderOptions, RetryOptions } from "./provider-options.ts";
import type { SdkAdapterOptions } from "./sdk-adapter.ts";

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
  const joined = providers.map(({ name, api, baseUrl, credentials, retry }): Provider => {
    const options = { clock, limits, ...(baseUrl === undefined ? {} : { baseUrl }) };
    const createAdapter = (): ModelAdapter => adapterByApi[api](options);
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
const adapterByApi: Readonly<Record<ProviderApi, (options: SdkAdapterOptions) => ModelAdapter>> = {
  "openai-completions": createOpenAiCompatibleAdapter,
  "openai-responses": createOpenAiResponsesAdapter,
  "anthropic-messages": createAnthropicAdapter,
  "google-generative-ai": createGoogleAdapter,
  demo: createDemoAdapter,
};

/** Says whose setting it is that is wrong. */
function forProvider<Result>(name: string, create: () => Result): Result {
  try {
    return create();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.code, `provider ${name}: ${toMessage(error)}`, { cause: error });
  }
}
