import { parseDuration } from "../../base/duration.ts";
import { parseDate, parseRetryAfter } from "../../base/retry-after.ts";

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

const longestMs = 3_600_000;

/**
 * How long a refusal asks us to wait: what `retry-after` says, else until the used-up ones among its rate limits begin
 * anew; `undefined` when it says neither.
 */
export function findRetryAfter(headers: Headers, nowMs: number): number | undefined {
  const plain = parseRetryAfter(headers, nowMs);
  if (plain !== undefined) return plain;
  const waits = Object.entries(headers).flatMap(([name, value]) => {
    const remaining = toRemainingName(name);
    if (remaining === undefined || typeof value !== "string") return [];
    if (headers[remaining]?.toString().trim() !== "0") return [];
    return toWaitMs(value.trim(), nowMs) ?? [];
  });
  if (waits.length === 0) return undefined;
  return Math.min(Math.max(0, Math.ceil(Math.max(...waits))), longestMs);
}

/** `x-ratelimit-reset-tokens`, `anthropic-ratelimit-tokens-reset` and their like each have a counter beside them. */
function toRemainingName(name: string): string | undefined {
  const isReset = /^(?:[a-z]+-)?ratelimit-(?:[a-z-]+-)?reset(?:-[a-z-]+)?$/.test(name);
  return isReset ? name.replace(/\breset\b/, "remaining") : undefined;
}

/** A duration like `6m0s`, a date, seconds from now, or seconds or milliseconds since 1970. */
function toWaitMs(text: string, nowMs: number): number | undefined {
  if (/^\d+(?:\.\d+)?$/.test(text)) {
    const value = Number(text);
    if (value > 1e12) return value - nowMs;
    return value > 1e9 ? value * 1_000 - nowMs : value * 1_000;
  }
  const durationMs = parseDuration(text);
  if (durationMs !== undefined) return durationMs;
  const atMs = parseDate(text);
  return atMs === undefined ? undefined : atMs - nowMs;
}
