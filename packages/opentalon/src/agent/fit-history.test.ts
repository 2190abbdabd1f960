import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TranscriptMessage } from "../domain/session.ts";
import { estimateText, estimateTokens, fitHistory, toTurns } from "./fit-history.ts";

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

const fit = (
  messages: readonly TranscriptMessage[],
  budgetTokens: number,
  maxTurns?: number,
): readonly TranscriptMessage[] =>
  fitHistory(toTurns(messages), budgetTokens, maxTurns).flatMap((turn) => turn.messages);

describe("fitting history", () => {
  it("keeps everything when there is no budget", () => {
    const messages = [user("a"), assistant("b"), user("c"), assistant("d")];
    expect(fit(messages, Infinity)).toEqual(messages);
  });

  it("drops a turn whose beginning is missing", () => {
    expect(fit([tool("1"), assistant("x"), user("c"), assistant("d")], Infinity)).toEqual([
      user("c"),
      assistant("d"),
    ]);
  });

  it("keeps the newest turns, as many as it may", () => {
    const messages = [user("a"), assistant("b"), user("c"), assistant("d"), user("e")];
    expect(fit(messages, Infinity, 2)).toEqual(messages.slice(2));
    expect(fit(messages, Infinity, 0)).toEqual([]);
  });

  it("never separates a call from its result and never exceeds the budget", () => {
    const turn = fc
      .tuple(fc.string({ maxLength: 200, unit: "grapheme" }), fc.nat(3))
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
        const kept = fit(turns.flat(), budget);
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

describe("the estimate of a text", () => {
  it("counts scripts by what they cost", () => {
    expect(estimateText("a".repeat(35))).toBe(10);
    expect(estimateText("привет")).toBe(3);
    expect(estimateText("你好")).toBe(2);
    expect(estimateText("")).toBe(0);
  });
});
