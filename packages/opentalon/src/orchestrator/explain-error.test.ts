import { expect, it } from "vitest";
import { BudgetError, ProviderError } from "../base/errors.ts";
import { explainFailure } from "./explain-error.ts";

it.each([
  [undefined, "a minute"],
  [0, "a second"],
  [44_001, "45 seconds"],
  [60_000, "a minute"],
  [60_001, "2 minutes"],
  [3_600_000, "60 minutes"],
  [24 * 3_600_000, "24 hours"],
])("a model that is busy for %s ms is worth another question in %s", (retryAfterMs, wait) => {
  const error = new ProviderError("busy", { reason: "rate-limited", model: "p/m", retryAfterMs });
  const { content } = explainFailure({ kind: "error", error }, "abc123");
  expect(content).toContain(`Please try again in ${wait}.`);
});

it.each([
  ["BUDGET_USED_UP", "token_limit_exceeded"],
  ["BUDGET_RESERVED", "rate_limited"],
] as const)("a refusal with %s says its own words and carries %s", (code, errorCode) => {
  const error = new BudgetError(code, "Your budget is used up.");
  const { content, metadata } = explainFailure({ kind: "error", error }, "abc123");
  expect(content).toBe("Your budget is used up. (reference abc123)");
  expect(metadata).toMatchObject({ type: "error", error_code: errorCode });
});
