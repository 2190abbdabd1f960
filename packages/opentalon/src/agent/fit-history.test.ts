import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TranscriptMessage } from "../domain/session.ts";
import { estimateTokens, fitHistory, toHistoryBudget } from "./fit-history.ts";

const user = (content: string): TranscriptMessage => ({ role: "user", content });
const assistant = (content: string, ...callIds: string[]): TranscriptMessage => ({
  role: "assistant",
  content,
  toolCalls: callIds.map((id) => ({ id, name: "a__b", arguments: {} })),
});
const tool = (callId: string): TranscriptMessage => ({
  role: "tool",
  callId,
  tool: "a__b",
  content: "ok",
  isError: false,
});

describe("fitting history", () => {
  it("keeps everything when there is no budget", () => {
    const messages = [user("a"), assistant("b"), user("c"), assistant("d")];
    expect(fitHistory(messages, undefined)).toEqual(messages);
  });

  it("drops a turn whose beginning is missing", () => {
    expect(fitHistory([tool("1"), assistant("x"), user("c"), assistant("d")], undefined)).toEqual([
      user("c"),
      assistant("d"),
    ]);
  });

  it("never separates a call from its result and never exceeds the budget", () => {
    const turn = fc
      .tuple(fc.string({ maxLength: 200 }), fc.nat(3))
      .map(([text, calls]) => [
        user(text),
        ...(calls > 0
          ? [assistant("", ...Array.from({ length: calls }, (_, n) => String(n)))]
          : []),
        ...Array.from({ length: calls }, (_, n) => tool(String(n))),
        assistant(text),
      ]);
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 8 }), fc.nat(800), (turns, budget) => {
        const kept = fitHistory(turns.flat(), budget);
        if (kept.length > 0) expect(kept[0]?.role).toBe("user");
        expect(kept.reduce((sum, message) => sum + estimateTokens(message), 0)).toBeLessThanOrEqual(
          budget,
        );
        const calls = kept.flatMap((message) =>
          message.role === "assistant" ? message.toolCalls : [],
        );
        expect(kept.filter((message) => message.role === "tool").length).toBe(calls.length);
      }),
    );
  });
});

describe("the budget of history", () => {
  const fixed = { system: "s".repeat(350), userText: "", tools: [] };

  it("is what the window leaves beside the answer, the reserve and what is always sent", () => {
    const budget = toHistoryBudget({ contextWindow: 1_000, maxTokens: 200 }, fixed);
    expect(budget).toBe(950 - 200 - Math.ceil(352 / 3.5));
  });

  it("is unknown for an unknown window, and never negative", () => {
    expect(toHistoryBudget({ contextWindow: 0, maxTokens: 0 }, fixed)).toBeUndefined();
    expect(toHistoryBudget({ contextWindow: 100, maxTokens: 0 }, fixed)).toBe(0);
  });
});
