import { expect, it } from "vitest";
import { parseRetryAfter } from "./retry-after.ts";

const nowMs = Date.parse("2026-01-31T12:00:00Z");

it.each([
  [{ "retry-after": "7" }, 7_000],
  [{ "retry-after": " 1.5 " }, 1_500],
  [{ "retry-after": "Sat, 31 Jan 2026 12:00:10 GMT" }, 10_000],
  [{ "retry-after": "Sat, 31 Jan 2026 11:00:00 GMT" }, 0],
  [{ "retry-after-ms": "250.4", "retry-after": "7" }, 251],
  [{ "retry-after-ms": "soon", "retry-after": "7" }, 7_000],
  [{ "retry-after": "9".repeat(400) }, 3_600_000],
  [{ "retry-after": "Fri, 31 Dec 2100 12:00:00 GMT" }, 3_600_000],
  [{ "retry-after-ms": "1e99" }, undefined],
  [{ "retry-after": "later" }, undefined],
  [{ "retry-after": "-5" }, undefined],
  [{ "retry-after": "soon 1" }, undefined],
  [{ "retry-after": "1.5.2" }, undefined],
  [{ "retry-after": "" }, undefined],
  [{}, undefined],
])("%j asks for %s ms", (headers, waitMs) => {
  expect(parseRetryAfter(headers, nowMs)).toBe(waitMs);
});
