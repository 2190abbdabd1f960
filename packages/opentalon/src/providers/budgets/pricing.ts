import type { ModelCost, TokenUsage } from "../../domain/model.ts";

/** USD. */
export interface UsageCost {
  readonly inputCost: number;
  readonly outputCost: number;
}

/** What `usage` costs at the prices of its model; 0 where no price is known. */
export function toUsageCost(usage: TokenUsage, { cost }: { readonly cost: ModelCost }): UsageCost {
  const { inputTokens, outputTokens, cachedInputTokens = 0, cacheWriteTokens = 0 } = usage;
  const { input, output, cachedInput = input, cacheWrite = input } = cost;
  const plainTokens = Math.max(0, inputTokens - cachedInputTokens - cacheWriteTokens);
  const inputSum =
    plainTokens * input + cachedInputTokens * cachedInput + cacheWriteTokens * cacheWrite;
  return {
    inputCost: inputSum / 1_000_000,
    outputCost: (outputTokens * output) / 1_000_000,
  };
}
