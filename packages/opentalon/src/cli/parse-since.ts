import { parseDuration } from "../base/duration.ts";

const dayMs = 24 * 3_600_000;

/** `30d`, `2w`, `12h` or `2026-11-22` as a moment in milliseconds; `undefined` for anything else. */
export function parseSince(text: string, nowMs: number): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([dw])$/.exec(text) ?? [];
  if (amount !== undefined) return nowMs - Number(amount) * dayMs * (unit === "w" ? 7 : 1);
  const agoMs = parseDuration(text);
  if (agoMs !== undefined && agoMs >= 0) return nowMs - agoMs;
  const atMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : atMs;
}
