import { ProviderError } from "../../base/errors.ts";
import type { ProviderFailureReason } from "../../base/errors.ts";
import {
  findComplaint,
  isRecord,
  quote,
  toFailure,
  toJsonText,
  toRefusal,
} from "../wire/classify-failure.ts";
import type { FailureContext, ProviderComplaint } from "../wire/classify-failure.ts";

/** Complaints of which the words tell more than status and code. */
const tellingWords: readonly (readonly [RegExp, ProviderFailureReason])[] = [
  [/exceeds the maximum number of tokens|exceed context limit/i, "context-too-long"],
  // Bedrock's word for a key that is not known or no longer valid, under a status of many meanings.
  [/security token included in the request is (invalid|expired)/i, "unauthorized"],
];

/** A refusal as `toRefusal` classifies it, with what single providers say in their own way. */
export function toSdkRefusal(
  context: FailureContext,
  status: number,
  complaint: ProviderComplaint,
  details: { readonly retryAfterMs?: number | undefined; readonly body?: unknown } = {},
): ProviderError {
  const saidDelayMs = findRetryDelayMs(details.body);
  const retryAfterMs = details.retryAfterMs ?? saidDelayMs;
  const refusal = toRefusal(context, status, complaint, retryAfterMs);
  const told = tellingWords.find(([words]) => words.test(complaint.message))?.[1];
  // "You exceeded your current quota" with a delay is a rate limit: money does not come back within a minute.
  const reason = saidDelayMs !== undefined && refusal.reason === "billing" ? "rate-limited" : told;
  if (reason === undefined || reason === refusal.reason) return refusal;
  const message = refusal.message.replace(
    `refused with ${refusal.reason}`,
    `refused with ${reason}`,
  );
  const { model } = refusal;
  return new ProviderError(message, { reason, model, status: refusal.status, retryAfterMs });
}

/**
 * Whatever an SDK threw or put into its stream, as our own error. Nothing of the original is kept as a cause: it holds the
 * whole request.
 */
export function toSdkFailure(error: unknown, context: FailureContext): ProviderError {
  const own = findProviderError(error);
  if (own !== undefined) return own;
  const complaint = toComplaint(error);
  if (complaint !== undefined) return toSdkRefusal(context, complaint.status ?? 200, complaint);
  if (!isRecord(error)) return toFailure(context, "broken-stream", "the answer could not be read");
  const { name, text, value, message } = error;
  if (name === "AI_JSONParseError" || name === "AI_TypeValidationError") {
    const said = findComplaint(value);
    if (said !== undefined) return toSdkRefusal(context, said.status ?? 200, said);
    const event = typeof text === "string" ? text : toJsonText(value);
    const what = `the server sent an event that cannot be read: ${quote(event, context.credential)}`;
    return toFailure(context, "broken-stream", what);
  }
  const words = typeof message === "string" ? quote(message, context.credential) : "";
  if (typeof name === "string" && /^AI_(Invalid(Prompt|Argument)|Unsupported)/.test(name))
    return toFailure(context, "invalid-request", `the request cannot be made: ${words}`);
  return toFailure(context, "broken-stream", `the answer could not be read: ${words}`);
}

/** SDKs wrap what the connection threw. */
function findProviderError(error: unknown): ProviderError | undefined {
  let current = error;
  for (let depth = 0; depth < 8 && current instanceof Error; depth += 1) {
    if (current instanceof ProviderError) return current;
    current = current.cause;
  }
  return undefined;
}

/** The two forms in which SDKs hand on what a server complained of inside a stream. */
function toComplaint(error: unknown): ProviderComplaint | undefined {
  if (!isRecord(error) || typeof error["message"] !== "string") return undefined;
  const { name, message, statusCode, responseBody, type, code } = error;
  const status = typeof statusCode === "number" ? statusCode : undefined;
  if (name === "AI_APICallError") {
    const body = typeof responseBody === "string" ? parseJson(responseBody) : undefined;
    const said = findComplaint(body) ?? findComplaint({ error: body });
    return { message: said?.message ?? message, code: said?.code ?? "", status };
  }
  if (error instanceof Error) return undefined;
  const parts = [code, type].filter((part) => typeof part === "string");
  return { message, code: parts.join(" "), status };
}

/** How long Google asks us to wait: `error.details[].retryDelay`, like `27s`. */
function findRetryDelayMs(body: unknown): number | undefined {
  const error = isRecord(body) ? body["error"] : undefined;
  const details = isRecord(error) ? error["details"] : undefined;
  if (!Array.isArray(details)) return undefined;
  for (const detail of details as unknown[]) {
    const delay = isRecord(detail) ? detail["retryDelay"] : undefined;
    const seconds =
      typeof delay === "string" ? /^(\d{1,6}(?:\.\d+)?)s$/.exec(delay)?.[1] : undefined;
    if (seconds !== undefined) return Math.min(Math.ceil(Number(seconds) * 1_000), 3_600_000);
  }
  return undefined;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
