import { toSdkBaseUrl } from "../base-url.ts";
import type { ModelAdapter } from "../model-adapter.ts";
import { createSdkAdapter } from "./sdk-adapter.ts";
import type { SdkAdapterOptions } from "./sdk-adapter.ts";

const anthropicBaseUrl = "https://api.anthropic.com";

/** The API demands a limit, and what an SDK takes for an unknown model is more than many servers allow. */
const usualMaxTokens = 4_096;

/** The root of the API with its version part. */
export function toAnthropicRoot(baseUrl: string = anthropicBaseUrl): string {
  const root = toSdkBaseUrl(baseUrl);
  return /\/v\d+$/.test(root) ? root : `${root}/v1`;
}

/** Speaks Anthropic's messages. `baseUrl` is the root of the API, with or without its version part. */
export function createAnthropicAdapter(options: SdkAdapterOptions): ModelAdapter {
  const baseURL = toAnthropicRoot(options.baseUrl);
  return createSdkAdapter(
    {
      load: async () => {
        const { createAnthropic } = await import("@ai-sdk/anthropic");
        return (id, fetch) => createAnthropic({ baseURL, apiKey: "none", fetch })(id);
      },
      toKeyHeaders: (key) => ({ "x-api-key": key }),
      cacheMark: { anthropic: { cacheControl: { type: "ephemeral" } } },
      toCallOptions: ({ maxTokens }, { hasThoughts }) => ({
        maxOutputTokens: maxTokens === 0 ? usualMaxTokens : maxTokens,
        // A model that thinks has to be shown what it thought before its calls; where that is gone, it does not think.
        ...(hasThoughts ? {} : { reasoning: "provider-default" }),
      }),
    },
    options,
  );
}
