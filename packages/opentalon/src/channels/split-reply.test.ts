import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitReply } from "./split-reply.ts";

const withoutSpace = (text: string): string => text.replaceAll(/\s/g, "");

describe("splitReply", () => {
  it("leaves alone what fits, and what has no limit", () => {
    expect(splitReply("hello", 5)).toEqual(["hello"]);
    expect(splitReply("hello", 0)).toEqual(["hello"]);
    expect(splitReply("", 5)).toEqual([""]);
  });

  it("prefers paragraphs, then lines, then words", () => {
    expect(splitReply("one two\nthree\n\nfour five six", 20)).toEqual([
      "one two\nthree",
      "four five six",
    ]);
    expect(splitReply("one two three\nfour five six", 20)).toEqual([
      "one two three",
      "four five six",
    ]);
    expect(splitReply("one two three four", 9)).toEqual(["one two", "three", "four"]);
    expect(splitReply("abcde fghij", 5)).toEqual(["abcde", "fghij"]);
  });

  it("cuts words that are too long between characters as people see them", () => {
    expect(splitReply("abcdefghij", 4)).toEqual(["abcd", "efgh", "ij"]);
    const family = "👨‍👩‍👧‍👦";
    expect(splitReply(family.repeat(3), family.length + 3)).toEqual([family, family, family]);
    expect(splitReply("e\u0301e\u0301e\u0301", 3)).toEqual(["e\u0301", "e\u0301", "e\u0301"]);
  });

  it("cuts through a character only when it cannot fit, and never through a surrogate pair", () => {
    expect(splitReply("😀😀", 1)).toEqual(["😀", "😀"]);
    const pile = `a${"\u0301".repeat(300)}`;
    expect(splitReply(pile, 100).join("")).toBe(pile);
  });

  it("closes a code block that is cut and opens it again with its language", () => {
    const code = Array.from({ length: 6 }, (_, line) => `  line${line}()`).join("\n");
    const parts = splitReply(`Look:\n\n\`\`\`js\n${code}\n\`\`\`\nDone.`, 50);
    expect(parts.length).toBeGreaterThan(1);
    expect(parts[1]).toMatch(/^```js\n {2}line/);
    for (const part of parts) {
      expect(part.length).toBeLessThanOrEqual(50);
      expect(part.split("\n").filter((line) => line.startsWith("```")).length % 2).toBe(0);
    }
  });

  it("knows that shorter marks and marks of the other kind do not close a block", () => {
    const text = `~~~~\n${"a\n".repeat(10)}~~~\n\`\`\`\n${"b\n".repeat(10)}~~~~\nend`;
    const parts = splitReply(text, 40);
    for (const part of parts.slice(1, -1)) expect(part).toMatch(/^~~~~\n[^]*\n~~~~$/);
    expect(parts.at(-1)).toMatch(/end$/);
  });

  it("gives up on fences when they would eat up the limit", () => {
    const text = `\`\`\`${"x".repeat(40)}\n${"word ".repeat(40)}\n\`\`\``;
    for (const part of splitReply(text, 30)) expect(part.length).toBeLessThanOrEqual(30);
  });

  it("loses nothing but white space and keeps the limit, whatever the text", () => {
    const word = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 30 }),
      fc.constantFrom(" ", "\n", "\n\n", "  ", "🇩🇪", "👩🏽‍🚀"),
    );
    const text = fc.array(word, { maxLength: 60 }).map((words) => words.join(""));
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 60 }), (reply, limit) => {
        fc.pre(!/`{3}|~{3}/.test(reply));
        const parts = splitReply(reply, limit);
        expect(withoutSpace(parts.join(""))).toBe(withoutSpace(reply));
        for (const part of parts) {
          expect(part.length).toBeLessThanOrEqual(limit);
          expect(part.isWellFormed()).toBe(true);
        }
      }),
    );
  });

  it("keeps the limit and ends with fences too, whatever the text", () => {
    const line = fc.constantFrom(
      "```",
      "```js",
      "~~~~",
      "a",
      "some words in a line",
      "",
      "x".repeat(50),
    );
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 40 }),
        fc.integer({ min: 2, max: 80 }),
        (lines, limit) => {
          for (const part of splitReply(lines.join("\n"), limit)) {
            expect(part.length).toBeLessThanOrEqual(limit);
          }
        },
      ),
    );
  });

  it("takes a long text without a place to cut in reasonable time", () => {
    expect(splitReply("漢".repeat(200_000), 4_000).length).toBe(50);
  });
});
