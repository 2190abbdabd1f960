/** One row of accounting: what one model reply cost. */
export interface UsageRow {
  readonly sessionKey: string;
  readonly actor: string;
  readonly channel: string;
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly toolCalls: number;
  /** USD. */
  readonly inputCost: number;
  readonly outputCost: number;
}
