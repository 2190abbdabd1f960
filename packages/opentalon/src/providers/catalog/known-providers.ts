import type { ProviderApi } from "../provider-options.ts";

/** What the name of a provider says when the configuration says no more. */
export interface KnownProvider {
  readonly api: ProviderApi;
  /** Absent where the adapter of `api` knows the address, or where everybody has another one. */
  readonly baseUrl?: string;
  /** Completes "set base_url to …", for those where everybody has another one. */
  readonly ownAddress?: string;
  /** The model that answers when none is listed; absent where everybody has other models. */
  readonly usualModel?: string;
}

function speakingOpenAi(baseUrl: string, usualModel?: string): KnownProvider {
  const model = usualModel === undefined ? {} : { usualModel };
  return { api: "openai-completions", baseUrl, ...model };
}

const google: KnownProvider = { api: "google-generative-ai", usualModel: "gemini-2.5-flash" };

/** By the name under `models.providers`. Those on this machine want no key. */
export const knownProviders: Readonly<Record<string, KnownProvider>> = {
  anthropic: { api: "anthropic-messages", usualModel: "claude-haiku-4-5" },
  azure: {
    api: "openai-completions",
    ownAddress: "https://<your resource>.openai.azure.com/openai/v1",
  },
  bedrock: { api: "bedrock-converse" },
  cohere: speakingOpenAi("https://api.cohere.ai/compatibility/v1", "command-a-03-2025"),
  deepseek: speakingOpenAi("https://api.deepseek.com/v1", "deepseek-chat"),
  gemini: google,
  google,
  groq: speakingOpenAi("https://api.groq.com/openai/v1", "llama-3.3-70b-versatile"),
  lmstudio: speakingOpenAi("http://127.0.0.1:1234/v1"),
  mistral: speakingOpenAi("https://api.mistral.ai/v1", "mistral-small-latest"),
  ollama: speakingOpenAi("http://127.0.0.1:11434/v1"),
  openai: speakingOpenAi("https://api.openai.com/v1", "gpt-4.1-mini"),
  openrouter: speakingOpenAi("https://openrouter.ai/api/v1", "openai/gpt-4.1-mini"),
  together: speakingOpenAi(
    "https://api.together.xyz/v1",
    "meta-llama/Llama-3.3-70B-Instruct-Turbo",
  ),
  vertex: { api: "google-vertex", usualModel: "gemini-2.5-flash" },
  vllm: speakingOpenAi("http://127.0.0.1:8000/v1"),
  xai: speakingOpenAi("https://api.x.ai/v1", "grok-4-fast-non-reasoning"),
};

export function findKnownProvider(name: string): KnownProvider | undefined {
  return Object.hasOwn(knownProviders, name) ? knownProviders[name] : undefined;
}
