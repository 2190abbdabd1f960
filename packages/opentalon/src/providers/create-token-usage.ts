import { toCount } from "../base/count.ts";
import type { TokenUsage } from "../domain/model.ts";

/** Counts as a provider tells them: anything, or nothing. */
export interface ToldUsage {
  readonly input: unknown;
  readonly output: unknown;
  readonly cachedInput: unknown;
  readonly reasoning: unknown;
}

/** Usage in bounded whole numbers; what the provider says nothing of, or 0, is left out. */
export function createTokenUsage({ input, output, cachedInput, reasoning }: ToldUsage): TokenUsage {
  const cachedInputTokens = toCount(cachedInput);
  const reasoningTokens = toCount(reasoning);
  return {
    inputTokens: toCount(input),
    outputTokens: toCount(output),
    ...(cachedInputTokens === 0 ? {} : { cachedInputTokens }),
    ...(reasoningTokens === 0 ? {} : { reasoningTokens }),
  };
}
