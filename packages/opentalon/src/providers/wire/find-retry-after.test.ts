import { expect, it } from "vitest";
import { findRetryAfter } from "./find-retry-after.ts";

const nowMs = Date.parse("2026-01-31T12:00:00Z");

it.each([
  [{ "retry-after": "7", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "9" }, 7_000],
  [{ "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s" }, 360_000],
  [{ "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "120ms" }, 120],
  [
    {
      "x-ratelimit-remaining-requests": "12",
      "x-ratelimit-reset-requests": "1h0m0s",
      "x-ratelimit-remaining-tokens": "0",
      "x-ratelimit-reset-tokens": "3s",
    },
    3_000,
  ],
  [
    {
      "anthropic-ratelimit-requests-remaining": "0",
      "anthropic-ratelimit-requests-reset": "2026-01-31T12:00:20Z",
    },
    20_000,
  ],
  [{ "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(nowMs + 4_000) }, 4_000],
  [{ "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(nowMs / 1_000 + 5) }, 5_000],
  [{ "x-ratelimit-remaining": "0", "x-ratelimit-reset": "9999999999999" }, 3_600_000],
  [{ "x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon" }, undefined],
  [{ "x-ratelimit-remaining": "3", "x-ratelimit-reset": "60" }, undefined],
  [{ "x-ratelimit-reset": "60" }, undefined],
  [{}, undefined],
])("%j asks for %s ms", (headers, waitMs) => {
  expect(findRetryAfter(headers, nowMs)).toBe(waitMs);
});
