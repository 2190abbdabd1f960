import { ProviderError } from "../../base/errors.ts";
import type { ProviderFailureReason } from "../../base/errors.ts";

/** How one model failed within a call. */
export interface ModelFailure {
  readonly attempts: number;
  readonly error: ProviderError;
}

/** From what somebody can act on to what may pass by itself. */
const tellingOrder: readonly ProviderFailureReason[] = [
  "cancelled",
  "context-too-long",
  "content-filtered",
  "billing",
  "unauthorized",
  "invalid-request",
  "rate-limited",
  "overloaded",
  "timed-out",
  "broken-stream",
  "unreachable",
];

/** Failures that may be over when somebody asks again. */
const passingReasons: ReadonlySet<ProviderFailureReason> = new Set([
  "billing",
  "unauthorized",
  "rate-limited",
  "overloaded",
  "timed-out",
  "broken-stream",
  "unreachable",
]);

/** All failures of a call as one: the most telling, with what was tried and when it makes sense to ask again. */
export function toFinalError(
  failures: readonly ModelFailure[],
  soonestMs: number | undefined,
): ProviderError {
  const ranked = [...failures].sort(
    (a, b) => tellingOrder.indexOf(a.error.reason) - tellingOrder.indexOf(b.error.reason),
  );
  const telling = ranked[0];
  if (telling === undefined) {
    const message = "No model is configured for this request; set routing.primary.";
    return new ProviderError(message, { reason: "invalid-request", model: "" });
  }
  const tried = failures.slice(0, 10).map(({ error, attempts }) => {
    return `${error.message} [${attempts} ${attempts === 1 ? "attempt" : "attempts"}]`;
  });
  const { reason, model, status } = telling.error;
  const isPassing = passingReasons.has(reason) && soonestMs !== undefined && soonestMs > 0;
  const again = isPassing ? ` It makes sense to try again in ${toSeconds(soonestMs)}.` : "";
  const message = `No model answered. Tried: ${tried.join("; ")}.${again}`;
  const retryAfterMs = isPassing ? soonestMs : telling.error.retryAfterMs;
  return new ProviderError(message, { reason, model, status, retryAfterMs, cause: telling.error });
}

/** A wait in whole seconds, at least one. */
export function toSeconds(durationMs: number): string {
  return `${Math.max(1, Math.ceil(durationMs / 1_000))} s`;
}
