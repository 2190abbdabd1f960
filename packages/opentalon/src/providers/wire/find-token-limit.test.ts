import { expect, it } from "vitest";
import { findTokenLimit } from "./find-token-limit.ts";

it.each([
  [
    "This model's maximum context length is 4097 tokens. However, your messages resulted in 5,012 tokens.",
    4_097,
    5_012,
  ],
  [
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the messages, 1000 in the completion).",
    4_096,
    4_000,
  ],
  ["prompt is too long: 210000 tokens > 200000 maximum", 200_000, 210_000],
  [
    "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length",
    200_000,
    188_240,
  ],
  [
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    1_048_576,
    1_200_000,
  ],
  [
    "the request exceeds the available context size (4096 tokens), try increasing it",
    4_096,
    undefined,
  ],
  [
    "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
    32_768,
    40_000,
  ],
  ["Please reduce the length of the messages", undefined, undefined],
  ["maximum context length is 99999999999999 tokens", undefined, undefined],
])("reads the lengths out of “%s”", (words, limitTokens, sentTokens) => {
  expect(findTokenLimit(words)).toEqual({ limitTokens, sentTokens });
});
