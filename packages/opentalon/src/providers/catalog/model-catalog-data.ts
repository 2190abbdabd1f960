// Prices as of January 2026, in USD per million tokens, from the providers' public lists and without their discounts
// for batches or their surcharges for very long prompts. Override them in the configuration: models.providers.<name>.models[].cost.
import type { ModelCost, ModelInput } from "../../domain/model.ts";

/** What is known of a model before anybody asked it. */
export interface CatalogModel {
  /** Tokens it can read. */
  readonly contextWindow: number;
  /** Tokens it can write in one answer; 0 when unknown. */
  readonly maxOutput: number;
  readonly cost: ModelCost;
  readonly input: readonly ModelInput[];
  /** Whether it thinks before it answers, or can. */
  readonly reasons: boolean;
  /** Whether it calls tools in its provider's own way. */
  readonly nativeTools: boolean;
}

/** Who sells models under names and prices of their own. */
export type CatalogVendor =
  | "anthropic"
  | "bedrock"
  | "cohere"
  | "deepseek"
  | "google"
  | "groq"
  | "mistral"
  | "openai"
  | "together"
  | "xai";

const text = ["text"] as const;
const images = ["text", "image"] as const;
const papers = ["text", "image", "pdf"] as const;
const everything = ["text", "image", "pdf", "audio"] as const;

type Traits = Partial<Pick<CatalogModel, "input" | "reasons" | "nativeTools">> & {
  readonly cachedInput?: number;
  readonly cacheWrite?: number;
};

function define(
  [contextWindow, maxOutput]: readonly [number, number],
  [input, output]: readonly [number, number],
  { cachedInput, cacheWrite, ...traits }: Traits = {},
): CatalogModel {
  const cost = {
    input,
    output,
    ...(cachedInput === undefined ? {} : { cachedInput }),
    ...(cacheWrite === undefined ? {} : { cacheWrite }),
  };
  return {
    contextWindow,
    maxOutput,
    cost,
    input: text,
    reasons: false,
    nativeTools: true,
    ...traits,
  };
}

/** Anthropic bills a tenth for what is read from its cache, and a quarter more for what is written into it. */
function defineClaude(
  maxOutput: number,
  [input, output]: readonly [number, number],
  traits: Traits = {},
): CatalogModel {
  const cached = { cachedInput: input / 10, cacheWrite: input * 1.25 };
  return define([200_000, maxOutput], [input, output], { input: papers, ...cached, ...traits });
}

const thinking = { reasons: true } as const;
const gpt5 = [400_000, 128_000] as const;
const gpt41 = [1_047_576, 32_768] as const;
const gpt4o = [128_000, 16_384] as const;
const oSeries = [200_000, 100_000] as const;
const gemini = [1_048_576, 65_536] as const;
const grokFast = [2_000_000, 30_000] as const;

/**
 * By vendor, models by the name without a date. A date or a version behind a name stands for the same model unless it has an entry of
 * its own.
 */
export const catalogData: Readonly<Record<CatalogVendor, Readonly<Record<string, CatalogModel>>>> =
  {
    anthropic: {
      "claude-opus-4-5": defineClaude(64_000, [5, 25], thinking),
      "claude-opus-4-1": defineClaude(32_000, [15, 75], thinking),
      "claude-opus-4": defineClaude(32_000, [15, 75], thinking),
      "claude-sonnet-4-5": defineClaude(64_000, [3, 15], thinking),
      "claude-sonnet-4": defineClaude(64_000, [3, 15], thinking),
      "claude-haiku-4-5": defineClaude(64_000, [1, 5], thinking),
      "claude-3-7-sonnet": defineClaude(64_000, [3, 15], thinking),
      "claude-3-5-sonnet": defineClaude(8_192, [3, 15]),
      "claude-3-5-haiku": defineClaude(8_192, [0.8, 4]),
      "claude-3-opus": defineClaude(4_096, [15, 75]),
      "claude-3-haiku": defineClaude(4_096, [0.25, 1.25], {
        input: images,
        cachedInput: 0.03,
        cacheWrite: 0.3,
      }),
    },
    openai: {
      "gpt-5.2": define(gpt5, [1.75, 14], { cachedInput: 0.175, input: papers, ...thinking }),
      "gpt-5.1": define(gpt5, [1.25, 10], { cachedInput: 0.125, input: papers, ...thinking }),
      "gpt-5": define(gpt5, [1.25, 10], { cachedInput: 0.125, input: papers, ...thinking }),
      "gpt-5-mini": define(gpt5, [0.25, 2], { cachedInput: 0.025, input: papers, ...thinking }),
      "gpt-5-nano": define(gpt5, [0.05, 0.4], { cachedInput: 0.005, input: papers, ...thinking }),
      "gpt-5-pro": define([400_000, 272_000], [15, 120], { input: papers, ...thinking }),
      "gpt-5-codex": define(gpt5, [1.25, 10], { cachedInput: 0.125, input: images, ...thinking }),
      "gpt-5.1-codex": define(gpt5, [1.25, 10], { cachedInput: 0.125, input: images, ...thinking }),
      "gpt-5.1-codex-mini": define(gpt5, [0.25, 2], {
        cachedInput: 0.025,
        input: images,
        ...thinking,
      }),
      "gpt-5-chat": define(gpt4o, [1.25, 10], { cachedInput: 0.125, input: papers }),
      "gpt-4.1": define(gpt41, [2, 8], { cachedInput: 0.5, input: papers }),
      "gpt-4.1-mini": define(gpt41, [0.4, 1.6], { cachedInput: 0.1, input: papers }),
      "gpt-4.1-nano": define(gpt41, [0.1, 0.4], { cachedInput: 0.025, input: papers }),
      "gpt-4o": define(gpt4o, [2.5, 10], { cachedInput: 1.25, input: papers }),
      "gpt-4o-2024-05-13": define([128_000, 4_096], [5, 15], { input: images }),
      "gpt-4o-mini": define(gpt4o, [0.15, 0.6], { cachedInput: 0.075, input: papers }),
      "chatgpt-4o": define(gpt4o, [5, 15], { input: images, nativeTools: false }),
      "gpt-4-turbo": define([128_000, 4_096], [10, 30], { input: images }),
      "gpt-4-1106-preview": define([128_000, 4_096], [10, 30]),
      "gpt-4-0125-preview": define([128_000, 4_096], [10, 30]),
      "gpt-4": define([8_192, 8_192], [30, 60]),
      "gpt-3.5-turbo": define([16_385, 4_096], [0.5, 1.5]),
      "gpt-3.5-turbo-1106": define([16_385, 4_096], [1, 2]),
      o1: define(oSeries, [15, 60], { cachedInput: 7.5, input: papers, ...thinking }),
      "o1-pro": define(oSeries, [150, 600], { input: papers, ...thinking }),
      o3: define(oSeries, [2, 8], { cachedInput: 0.5, input: papers, ...thinking }),
      "o3-pro": define(oSeries, [20, 80], { input: papers, ...thinking }),
      "o3-mini": define(oSeries, [1.1, 4.4], { cachedInput: 0.55, ...thinking }),
      "o4-mini": define(oSeries, [1.1, 4.4], { cachedInput: 0.275, input: papers, ...thinking }),
    },
    google: {
      "gemini-3-pro": define(gemini, [2, 12], { cachedInput: 0.2, input: everything, ...thinking }),
      "gemini-3-flash": define(gemini, [0.5, 3], {
        cachedInput: 0.05,
        input: everything,
        ...thinking,
      }),
      "gemini-2.5-pro": define(gemini, [1.25, 10], {
        cachedInput: 0.125,
        input: everything,
        ...thinking,
      }),
      "gemini-2.5-flash": define(gemini, [0.3, 2.5], {
        cachedInput: 0.03,
        input: everything,
        ...thinking,
      }),
      "gemini-2.5-flash-lite": define(gemini, [0.1, 0.4], {
        cachedInput: 0.01,
        input: everything,
        ...thinking,
      }),
      "gemini-2.0-flash": define([1_048_576, 8_192], [0.1, 0.4], {
        cachedInput: 0.025,
        input: everything,
      }),
      "gemini-2.0-flash-lite": define([1_048_576, 8_192], [0.075, 0.3], { input: everything }),
    },
    mistral: {
      "mistral-large-latest": define([262_144, 0], [0.5, 1.5], { input: images }),
      "mistral-large-2512": define([262_144, 0], [0.5, 1.5], { input: images }),
      "mistral-large-2411": define([131_072, 0], [2, 6]),
      "mistral-large-2407": define([131_072, 0], [2, 6]),
      "mistral-medium": define([131_072, 0], [0.4, 2], { input: images }),
      "mistral-small": define([131_072, 0], [0.1, 0.3], { input: images }),
      "magistral-medium": define([131_072, 0], [2, 5], thinking),
      "magistral-small": define([131_072, 0], [0.5, 1.5], thinking),
      codestral: define([262_144, 0], [0.3, 0.9]),
      "devstral-medium": define([131_072, 0], [0.4, 2]),
      "devstral-small": define([131_072, 0], [0.1, 0.3]),
      "pixtral-large": define([131_072, 0], [2, 6], { input: images }),
      "pixtral-12b": define([131_072, 0], [0.15, 0.15], { input: images }),
      "ministral-8b-2410": define([131_072, 0], [0.1, 0.1]),
      "ministral-3b-2410": define([131_072, 0], [0.04, 0.04]),
      "open-mistral-nemo": define([131_072, 0], [0.15, 0.15]),
    },
    groq: {
      "llama-3.3-70b-versatile": define([131_072, 32_768], [0.59, 0.79]),
      "llama-3.1-8b-instant": define([131_072, 131_072], [0.05, 0.08]),
      "meta-llama/llama-4-maverick-17b-128e-instruct": define([131_072, 8_192], [0.2, 0.6], {
        input: images,
      }),
      "meta-llama/llama-4-scout-17b-16e-instruct": define([131_072, 8_192], [0.11, 0.34], {
        input: images,
      }),
      "openai/gpt-oss-120b": define([131_072, 65_536], [0.15, 0.6], thinking),
      "openai/gpt-oss-20b": define([131_072, 65_536], [0.075, 0.3], thinking),
      "moonshotai/kimi-k2-instruct": define([262_144, 16_384], [1, 3], { cachedInput: 0.5 }),
      "qwen/qwen3-32b": define([131_072, 40_960], [0.29, 0.59], thinking),
    },
    deepseek: {
      "deepseek-chat": define([128_000, 8_192], [0.28, 0.42], { cachedInput: 0.028 }),
      "deepseek-reasoner": define([128_000, 65_536], [0.28, 0.42], {
        cachedInput: 0.028,
        ...thinking,
      }),
    },
    xai: {
      "grok-4": define([256_000, 0], [3, 15], { cachedInput: 0.75, input: images, ...thinking }),
      "grok-4-fast": define(grokFast, [0.2, 0.5], {
        cachedInput: 0.05,
        input: images,
        ...thinking,
      }),
      "grok-4-fast-reasoning": define(grokFast, [0.2, 0.5], {
        cachedInput: 0.05,
        input: images,
        ...thinking,
      }),
      "grok-4-fast-non-reasoning": define(grokFast, [0.2, 0.5], {
        cachedInput: 0.05,
        input: images,
      }),
      "grok-4-1-fast-reasoning": define(grokFast, [0.2, 0.5], {
        cachedInput: 0.05,
        input: images,
        ...thinking,
      }),
      "grok-4-1-fast-non-reasoning": define(grokFast, [0.2, 0.5], {
        cachedInput: 0.05,
        input: images,
      }),
      "grok-code-fast-1": define([256_000, 0], [0.2, 1.5], { cachedInput: 0.02, ...thinking }),
      "grok-3": define([131_072, 0], [3, 15], { cachedInput: 0.75 }),
      "grok-3-mini": define([131_072, 0], [0.3, 0.5], { cachedInput: 0.075, ...thinking }),
    },
    cohere: {
      "command-a-03-2025": define([256_000, 8_000], [2.5, 10]),
      "command-r-plus-08-2024": define([128_000, 4_000], [2.5, 10]),
      "command-r-08-2024": define([128_000, 4_000], [0.15, 0.6]),
      "command-r7b-12-2024": define([128_000, 4_000], [0.0375, 0.15]),
    },
    together: {
      "meta-llama/Llama-3.3-70B-Instruct-Turbo": define([131_072, 0], [0.88, 0.88]),
      "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo": define([131_072, 0], [0.18, 0.18]),
      "meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo": define([130_815, 0], [3.5, 3.5]),
      "deepseek-ai/DeepSeek-V3": define([131_072, 0], [1.25, 1.25]),
      "Qwen/Qwen2.5-72B-Instruct-Turbo": define([32_768, 0], [1.2, 1.2]),
      "openai/gpt-oss-120b": define([131_072, 0], [0.15, 0.6], thinking),
      "openai/gpt-oss-20b": define([131_072, 0], [0.05, 0.2], thinking),
      "moonshotai/Kimi-K2-Instruct": define([131_072, 0], [1, 3]),
    },
    bedrock: {
      "amazon.nova-premier": define([1_000_000, 10_000], [2.5, 12.5], { input: papers }),
      "amazon.nova-pro": define([300_000, 10_000], [0.8, 3.2], {
        cachedInput: 0.2,
        input: papers,
      }),
      "amazon.nova-lite": define([300_000, 10_000], [0.06, 0.24], {
        cachedInput: 0.015,
        input: papers,
      }),
      "amazon.nova-micro": define([128_000, 10_000], [0.035, 0.14], { cachedInput: 0.00875 }),
      "meta.llama3-3-70b-instruct": define([128_000, 8_192], [0.72, 0.72]),
      "meta.llama3-1-8b-instruct": define([128_000, 8_192], [0.22, 0.22]),
      "meta.llama4-maverick-17b-instruct": define([1_000_000, 8_192], [0.24, 0.97], {
        input: images,
      }),
      "meta.llama4-scout-17b-instruct": define([3_500_000, 8_192], [0.17, 0.66], { input: images }),
      "openai.gpt-oss-120b": define([128_000, 0], [0.15, 0.6], thinking),
      "openai.gpt-oss-20b": define([128_000, 0], [0.07, 0.3], thinking),
    },
  };
