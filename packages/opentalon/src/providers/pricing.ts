import type { Model, TokenUsage } from "../domain/model.ts";

/** USD. */
export interface UsageCost {
  readonly inputCost: number;
  readonly outputCost: number;
}

/** What `usage` costs at the prices the configuration gives for `model`; 0 where it gives none. */
export function toUsageCost(usage: TokenUsage, model: Pick<Model, "cost">): UsageCost {
  return {
    inputCost: (usage.inputTokens * model.cost.input) / 1_000_000,
    outputCost: (usage.outputTokens * model.cost.output) / 1_000_000,
  };
}
