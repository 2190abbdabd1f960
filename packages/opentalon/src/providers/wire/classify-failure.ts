import { ProviderError } from "../../base/errors.ts";
import type { ProviderFailureReason } from "../../base/errors.ts";
import { redactSecrets } from "../../base/secret.ts";
import type { Secret } from "../../base/secret.ts";

/** What a provider said about a failure, in whichever of the usual shapes it said it. */
export interface ProviderComplaint {
  readonly message: string;
  /** Code and type as the provider names them, joined; empty when it gave none. */
  readonly code: string;
  /** Status inside the body: some gateways answer 200 and put the upstream's status there. */
  readonly status: number | undefined;
}

export interface FailureContext {
  /** `provider/id`. */
  readonly model: string;
  readonly credential: Secret | undefined;
}

const maxQuotedLength = 300;

/** The reason behind a refusal, from its status first and its words where the status says too little. */
export function toFailureReason(
  status: number,
  complaint: ProviderComplaint,
): ProviderFailureReason {
  const code = complaint.code.toLowerCase();
  const words = `${code} ${complaint.message.toLowerCase()}`;
  if (status === 402 || isBilling(code, words)) return "billing";
  if (status === 401) return "unauthorized";
  if (status === 429) return "rate-limited";
  if (isContextTooLong(words) || status === 413) return "context-too-long";
  if (isBadKey(code, complaint.message)) return "unauthorized";
  if (isContentFilter(code, words)) return "content-filtered";
  if (status === 403) return "unauthorized";
  if (status === 408) return "timed-out";
  if (status >= 500) return "overloaded";
  // Bedrock's model failed behind a request that was all right.
  if (status === 424) return "overloaded";
  if (status >= 300) return "invalid-request";
  // An error inside a 200: only its own words tell.
  if (/rate.?limit|too.many.requests|resource_exhausted|throttl/.test(code)) return "rate-limited";
  if (/authentic|invalid_api_key|permission/.test(code)) return "unauthorized";
  if (/invalid_request|not_found|bad.?request/.test(code)) return "invalid-request";
  if (/overloaded|server_error|api_error|internal|unavailable|capacity/.test(code))
    return "overloaded";
  return "broken-stream";
}

function isBilling(code: string, words: string): boolean {
  // Google's limit per minute speaks of quota and billing as well.
  if (/resource_exhausted/.test(code)) return false;
  if (/insufficient_quota|billing|payment_required|insufficient_balance/.test(code)) return true;
  return /insufficient (balance|credits?|funds)|credit balance is too low|exceeded your current quota|out of credits|spending limit/.test(
    words,
  );
}

/**
 * Some providers answer 400 to a wrong key. Only what a complaint begins with counts: further on it may quote a person,
 * and a key must not be taken out of use because somebody wrote of keys.
 */
function isBadKey(code: string, message: string): boolean {
  if (/invalid_api_key|api_key_invalid/.test(code)) return true;
  const start = message.trimStart().slice(0, 80).toLowerCase();
  return /^(api key (is )?(not valid|invalid|expired)|(invalid|incorrect) api key)/.test(start);
}

function isContextTooLong(words: string): boolean {
  return /context_length_exceeded|maximum context|context (length|window|size)|prompt is too long|input is too long|too many (input )?tokens|reduce the length/.test(
    words,
  );
}

function isContentFilter(code: string, words: string): boolean {
  if (/content_filter|content_policy|moderation|responsibleai/.test(code)) return true;
  return /content management policy|flagged by|content policy/.test(words);
}

/** Reads the error out of a response body or an event; `undefined` when it carries none. */
export function findComplaint(body: unknown): ProviderComplaint | undefined {
  if (!isRecord(body)) return undefined;
  const { error } = body;
  if (typeof error === "string") return { message: error, code: "", status: undefined };
  if (isRecord(error)) return toComplaint(error);
  if (
    body["object"] === "error" ||
    (body["choices"] === undefined && typeof body["message"] === "string")
  ) {
    return toComplaint(body);
  }
  return undefined;
}

function toComplaint(error: Readonly<Record<string, unknown>>): ProviderComplaint {
  const { message, code, type, status: word } = error;
  const parts = [code, type, word].filter((part) => typeof part === "string");
  const status = Number(code);
  return {
    message: typeof message === "string" ? message : toJsonText(error),
    code: parts.join(" "),
    status: Number.isInteger(status) && status >= 400 && status <= 599 ? status : undefined,
  };
}

/** What somebody sent as JSON once more as text; empty where it is nested deeper than can be written. */
export function toJsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return "";
  }
}

/** An answer whose status or body says that it is none. */
export function toRefusal(
  context: FailureContext,
  status: number,
  complaint: ProviderComplaint,
  retryAfterMs?: number,
): ProviderError {
  const effective = status >= 300 ? status : (complaint.status ?? status);
  const reason = toFailureReason(effective, complaint);
  const shownStatus = effective >= 300 ? ` (HTTP ${effective})` : "";
  const quoted = quote(complaint.message, context.credential);
  const said = quoted === "" ? "" : `: ${quoted}`;
  const message = `${context.model} refused with ${reason}${shownStatus}${said}`;
  return new ProviderError(message, {
    reason,
    model: context.model,
    status: effective,
    retryAfterMs,
  });
}

/** Something other than an HTTP answer went wrong. `what` is our own words and may name no secret. */
export function toFailure(
  context: FailureContext,
  reason: ProviderFailureReason,
  what: string,
  details: { readonly cause?: unknown; readonly status?: number | undefined } = {},
): ProviderError {
  return new ProviderError(`${context.model}: ${what}`, {
    reason,
    model: context.model,
    ...details,
  });
}

/** Foreign text on one line, without secrets, at most 300 characters. Redacts first: a cut key is still a key. */
export function quote(text: string, credential: Secret | undefined): string {
  const bounded = text.slice(0, 64 * 1024);
  const key = credential?.reveal() ?? "";
  const safe = redactSecrets(key === "" ? bounded : bounded.replaceAll(key, "[secret]"));
  const line = safe.replaceAll(/[\s\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim();
  if (line.length <= maxQuotedLength) return line.toWellFormed();
  return `${line.slice(0, maxQuotedLength - 1).toWellFormed()}…`;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
