import { describe, expect, it } from "vitest";
import type { ProviderFailureReason } from "../../base/errors.ts";
import { findComplaint, toRefusal } from "./classify-failure.ts";

const google = (code: number, status: string, message: string): unknown => ({
  error: { code, status, message },
});
const quotaWords = "You exceeded your current quota, please check your plan and billing details.";

const cases: readonly [number, unknown, ProviderFailureReason][] = [
  [401, { error: { message: "Incorrect API key provided" } }, "unauthorized"],
  [400, google(400, "INVALID_ARGUMENT", "API key not valid."), "unauthorized"],
  [400, { error: { message: 'Bad text: "what is an invalid api key?"' } }, "invalid-request"],
  [403, google(403, "PERMISSION_DENIED", "no access to this model"), "unauthorized"],
  [402, { error: { message: "Insufficient Balance" } }, "billing"],
  [429, { error: { message: quotaWords, code: "insufficient_quota" } }, "billing"],
  [400, { error: { message: "Your credit balance is too low" } }, "billing"],
  [429, google(429, "RESOURCE_EXHAUSTED", quotaWords), "rate-limited"],
  [200, google(429, "RESOURCE_EXHAUSTED", "slow down"), "rate-limited"],
  [200, { error: { type: "rate_limit_error", message: "slow down" } }, "rate-limited"],
  [200, { type: "error", error: { type: "overloaded_error", message: "busy" } }, "overloaded"],
  [200, { error: { type: "authentication_error", message: "who?" } }, "unauthorized"],
  [200, { error: "something odd" }, "broken-stream"],
  [529, { type: "error", error: { type: "overloaded_error", message: "busy" } }, "overloaded"],
  [408, { error: { message: "too slow" } }, "timed-out"],
  [413, { error: { message: "too large" } }, "context-too-long"],
  [400, { error: { message: "This model's maximum context length is 8192" } }, "context-too-long"],
  [400, { error: { message: "x", code: "content_filter" } }, "content-filtered"],
  [404, { error: { message: "no such model" } }, "invalid-request"],
];

describe("a refusal", () => {
  it.each(cases)("with status %i and body %j is %s", (status, body, reason) => {
    const complaint = findComplaint(body);
    if (complaint === undefined) throw new Error("there is no complaint");
    const context = { model: "p/m", credential: undefined };
    expect(toRefusal(context, status, complaint).reason).toBe(reason);
  });
});
