/** One row of accounting: what one model reply cost. */
export interface UsageRow {
  readonly sessionKey: string;
  readonly actor: string;
  readonly channel: string;
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Of the input, what came out of a prompt cache. */
  readonly cachedInputTokens?: number;
  /** Of the output, what was thought and not said. */
  readonly reasoningTokens?: number;
  readonly toolCalls: number;
  /** USD. */
  readonly inputCost: number;
  readonly outputCost: number;
}
