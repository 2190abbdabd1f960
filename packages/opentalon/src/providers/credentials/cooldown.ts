import type { ProviderError, ProviderFailureReason } from "../../base/errors.ts";

/** How long a credential rests after the service refused it. */
export interface CooldownOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  /** Factor from one refusal to the next; below 1 counts as 1. */
  readonly multiplier: number;
  /** Longest rest of a credential whose account has no credit. */
  readonly billingMaxMs: number;
}

export const defaultCooldownOptions: CooldownOptions = {
  initialMs: 60_000,
  maxMs: 3_600_000,
  multiplier: 5,
  billingMaxMs: 24 * 3_600_000,
};

/** What is remembered of refusals in a row; any answer ends the row. */
export interface Rest {
  readonly refusals: number;
  readonly reason: ProviderFailureReason;
  /** No call before this moment. */
  readonly restsUntilMs: number;
  /** Before this moment a call only when nothing better is left: the service said it would be ready and was not. */
  readonly avoidedUntilMs: number;
}

/**
 * The rest after one more refusal. What the service asks for is exact, so it replaces our guess; a service that asks
 * for seconds again and again is avoided for as long as our guess would have been.
 */
export function toRest(
  refusals: number,
  { reason, retryAfterMs }: ProviderError,
  nowMs: number,
  options: CooldownOptions,
): Rest {
  const guess = (count: number): number => {
    const growth = Math.max(1, options.multiplier) ** Math.max(0, count - 1);
    return reason === "billing"
      ? Math.min(options.billingMaxMs, options.maxMs * growth)
      : Math.min(options.maxMs, options.initialMs * growth);
  };
  if (reason === "billing" || retryAfterMs === undefined) {
    const untilMs = nowMs + Math.max(guess(refusals), retryAfterMs ?? 0);
    return { refusals, reason, restsUntilMs: untilMs, avoidedUntilMs: untilMs };
  }
  const avoidedMs = refusals > 1 ? Math.max(retryAfterMs, guess(refusals - 1)) : retryAfterMs;
  return {
    refusals,
    reason,
    restsUntilMs: nowMs + retryAfterMs,
    avoidedUntilMs: nowMs + avoidedMs,
  };
}
