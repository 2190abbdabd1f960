import { toCount } from "../../base/count.ts";
import type { TokenUsage } from "../../domain/model.ts";

/** Counts as a provider tells them: anything, or nothing. `input` and `output` include what the others count. */
export interface ToldUsage {
  readonly input: unknown;
  readonly output: unknown;
  readonly cachedInput?: unknown;
  readonly cacheWrite?: unknown;
  readonly reasoning?: unknown;
}

/** Usage in bounded whole numbers; what the provider says nothing of, or 0, is left out. */
export function createTokenUsage(told: ToldUsage): TokenUsage {
  const inputTokens = toCount(told.input);
  const outputTokens = toCount(told.output);
  const cachedInputTokens = Math.min(inputTokens, toCount(told.cachedInput));
  const cacheWriteTokens = Math.min(inputTokens - cachedInputTokens, toCount(told.cacheWrite));
  const reasoningTokens = Math.min(outputTokens, toCount(told.reasoning));
  return {
    inputTokens,
    outputTokens,
    ...(cachedInputTokens === 0 ? {} : { cachedInputTokens }),
    ...(cacheWriteTokens === 0 ? {} : { cacheWriteTokens }),
    ...(reasoningTokens === 0 ? {} : { reasoningTokens }),
  };
}
