import { toSdkBaseUrl } from "../base-url.ts";
import type { ModelAdapter } from "../model-adapter.ts";
import { openAiBaseUrl } from "../chat-completions/openai-compatible-adapter.ts";
import { toPromptCacheKey } from "../wire/prompt-cache-key.ts";
import { createSdkAdapter } from "./sdk-adapter.ts";
import type { SdkAdapterOptions } from "./sdk-adapter.ts";

/** Speaks OpenAI's Responses API; nothing is stored at the provider. */
export function createOpenAiResponsesAdapter(options: SdkAdapterOptions): ModelAdapter {
  const baseURL = toSdkBaseUrl(options.baseUrl ?? openAiBaseUrl);
  return createSdkAdapter(
    {
      load: async () => {
        const { createOpenAI } = await import("@ai-sdk/openai");
        return (id, fetch) => createOpenAI({ baseURL, apiKey: "none", fetch }).responses(id);
      },
      toKeyHeaders: (key) => ({ authorization: `Bearer ${key}` }),
      toCallOptions: ({ reasoningEffort }, { sessionKey }) => ({
        providerOptions: {
          openai: {
            store: false,
            ...toCacheOptions(toPromptCacheKey(baseURL, sessionKey)),
            // Whoever sets an effort knows that the model thinks, whatever the SDK knows of its name.
            ...(reasoningEffort === undefined ? {} : { forceReasoning: true }),
          },
        },
      }),
    },
    options,
  );
}

function toCacheOptions(promptCacheKey: string | undefined): { promptCacheKey?: string } {
  return promptCacheKey === undefined ? {} : { promptCacheKey };
}
