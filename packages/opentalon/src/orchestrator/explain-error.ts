import { BudgetError, ProviderError, toMessage } from "../base/errors.ts";
import type { Reply } from "../domain/turn.ts";

/** Why a turn has no ordinary answer. */
export type TurnFailure =
  | { readonly kind: "error"; readonly error: unknown }
  | { readonly kind: "empty-reply" }
  /** The program ended in the middle of it again and again. */
  | { readonly kind: "interrupted"; readonly attempts: number }
  | { readonly kind: "too-many-rounds"; readonly rounds: number }
  | { readonly kind: "formatter-failed"; readonly hook: string; readonly problem: string };

/** Words for the person, with `reference`, the short id that stands in the log beside the cause. */
export function explainFailure(failure: TurnFailure, reference: string): Reply {
  const { words, errorCode } = describe(failure);
  return {
    content: `${words} (reference ${reference})`,
    metadata: { type: "error", error_code: errorCode, reference },
  };
}

/** The cause in one line, for the log. */
export function describeFailure(failure: TurnFailure): string {
  switch (failure.kind) {
    case "error":
      return toMessage(failure.error);
    case "empty-reply":
      return "the model's reply was empty";
    case "interrupted":
      return `interrupted ${failure.attempts} times, given up`;
    case "too-many-rounds":
      return `no final answer after ${failure.rounds} rounds of tool calls`;
    case "formatter-failed":
      return `formatter ${failure.hook} failed: ${failure.problem}`;
  }
}

function describe(failure: TurnFailure): { words: string; errorCode: string } {
  switch (failure.kind) {
    case "empty-reply":
      return {
        words: "The model returned an empty answer. Please ask again.",
        errorCode: "internal_error",
      };
    case "interrupted":
      return {
        words: "Your message could not be answered: OpenTalon was interrupted each time it tried.",
        errorCode: "internal_error",
      };
    case "too-many-rounds":
      return {
        words: `I stopped after ${failure.rounds} rounds of tool calls without reaching an answer. Try a smaller question.`,
        errorCode: "internal_error",
      };
    case "formatter-failed":
      return {
        words: "The answer could not be formatted and was withheld.",
        errorCode: "guard_blocked",
      };
    case "error":
      if (failure.error instanceof ProviderError) return describeProviderError(failure.error);
      if (failure.error instanceof BudgetError) return describeBudgetError(failure.error);
      return {
        words: "Something went wrong on our side; your message was not answered.",
        errorCode: "internal_error",
      };
  }
}

function describeBudgetError({ code, message: words }: BudgetError): {
  words: string;
  errorCode: string;
} {
  switch (code) {
    case "BUDGET_USED_UP":
      return { words, errorCode: "token_limit_exceeded" };
    case "BUDGET_RESERVED":
      return { words, errorCode: "rate_limited" };
  }
}

function describeProviderError({ reason, retryAfterMs }: ProviderError): {
  words: string;
  errorCode: string;
} {
  switch (reason) {
    case "rate-limited":
      return {
        words: `The model is receiving too many requests. Please try again in ${toWait(retryAfterMs)}.`,
        errorCode: "rate_limited",
      };
    case "overloaded":
      return {
        words: `The model is overloaded. Please try again in ${toWait(retryAfterMs)}.`,
        errorCode: "rate_limited",
      };
    case "billing":
      return {
        words: "The model provider's account has no credit left. The operator has to act.",
        errorCode: "internal_error",
      };
    case "unauthorized":
      return {
        words:
          "The model provider has no credential of ours that it accepts. The operator has to check the API key or the sign-in; the log says which.",
        errorCode: "internal_error",
      };
    case "context-too-long":
      return {
        words: "This conversation has become too long for the model. /clear starts a new one.",
        errorCode: "context_length_exceeded",
      };
    case "content-filtered":
      return { words: "The model provider declined to answer this.", errorCode: "internal_error" };
    case "invalid-request":
      return {
        words: "The model did not accept the request. The operator finds the cause in the log.",
        errorCode: "internal_error",
      };
    case "unreachable":
      return {
        words: "The model cannot be reached right now. Please try again later.",
        errorCode: "internal_error",
      };
    case "timed-out":
      return {
        words: "The model took too long to answer. Please try again.",
        errorCode: "timeout",
      };
    case "broken-stream":
      return {
        words:
          "The connection to the model broke before the answer was complete. Please try again.",
        errorCode: "internal_error",
      };
    case "cancelled":
      return { words: "The answer was cancelled.", errorCode: "internal_error" };
  }
}

/** A wait as people say it, rounded up. */
function toWait(waitMs = 60_000): string {
  const seconds = Math.max(1, Math.ceil(waitMs / 1_000));
  const minutes = Math.ceil(seconds / 60);
  if (seconds < 60) return seconds === 1 ? "a second" : `${seconds} seconds`;
  if (minutes < 120) return minutes === 1 ? "a minute" : `${minutes} minutes`;
  return `${Math.ceil(minutes / 60)} hours`;
}
