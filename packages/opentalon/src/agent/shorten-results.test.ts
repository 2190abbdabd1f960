import { expect, test } from "vitest";
import type { TranscriptMessage } from "../domain/session.ts";
import { sumTokens } from "./fit-history.ts";
import { shortenResults } from "./shorten-results.ts";

const question: TranscriptMessage = { role: "user", content: "q".repeat(2_000) };
const result = (callId: string, length: number): TranscriptMessage => ({
  role: "tool",
  callId,
  tool: "files__read",
  content: `[start]${callId.repeat(length - 12)}[end]`,
  isError: false,
});

test("the oldest results are cut first, in their middle, and say so", () => {
  const messages = [question, result("a", 7_000), result("b", 7_000)];
  const kept = shortenResults(messages, sumTokens(messages) - 1_000);
  expect(sumTokens(kept)).toBeLessThanOrEqual(sumTokens(messages) - 1_000);
  expect(kept[0]).toBe(question);
  expect(kept[1]?.content).toMatch(
    /^\[start\]a+\n\(… \d+ characters left out: too long for the model …\)\na+\[end\]$/,
  );
  expect(kept[2]).toBe(messages[2]);
});

test("nothing is cut within the budget, and beginnings and ends stay when nothing helps", () => {
  const messages = [question, result("a", 7_000), result("b", 500)];
  expect(shortenResults(messages, sumTokens(messages))).toEqual(messages);
  const kept = shortenResults(messages, 0);
  expect(kept.map(({ content }) => content.length)).toEqual([2_000, 600, 500]);
  expect(kept[1]?.content).toMatch(/^\[start\].*\[end\]$/s);
});
