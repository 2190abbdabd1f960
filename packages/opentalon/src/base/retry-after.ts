/** Nobody is waited for longer, whatever they ask: what is broken for an hour may be mended by then. */
const longestRetryAfterMs = 3_600_000;

/**
 * How long a server asks us to wait, in whole milliseconds up to an hour: `retry-after-ms`, or `retry-after` in seconds
 * or as a date; `undefined` when it says nothing that can be read.
 */
export function parseRetryAfter(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  nowMs: number,
): number | undefined {
  const waitMs = toNumber(headers["retry-after-ms"]) ?? toWaitMs(headers["retry-after"], nowMs);
  if (waitMs === undefined) return undefined;
  return Math.min(Math.max(Math.ceil(waitMs), 0), longestRetryAfterMs);
}

function toWaitMs(text: unknown, nowMs: number): number | undefined {
  const seconds = toNumber(text);
  if (seconds !== undefined) return seconds * 1_000;
  const atMs = typeof text === "string" ? parseDate(text) : undefined;
  return atMs === undefined ? undefined : atMs - nowMs;
}

/** A moment as headers tell it: with a day of the week first, or a year. The platform finds dates in `-5`, too. */
export function parseDate(text: string): number | undefined {
  const isDate = /^\s*(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? |\d{4}-\d{2}-)/i.test(text);
  const atMs = isDate ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : atMs;
}

/** A decimal number, no less than 0. */
function toNumber(text: unknown): number | undefined {
  return typeof text === "string" && /^\s*\d+(?:\.\d*)?\s*$/.test(text) ? Number(text) : undefined;
}
