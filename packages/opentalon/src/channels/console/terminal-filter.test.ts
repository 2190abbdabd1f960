import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTerminalFilter, toTerminalLine } from "./terminal-filter.ts";

const filter = (...pieces: readonly string[]): string => {
  const next = createTerminalFilter();
  return pieces.map(next).join("");
};

describe("the terminal filter", () => {
  it.each([
    ["plain text, grüße, 漢字, 🎉\n\ttab", "plain text, grüße, 漢字, 🎉\n\ttab"],
    ["\u001b[1;31mred\u001b[0m", "red"],
    ["\u009b31mred", "red"],
    ["\u001b]0;title\u0007text", "text"],
    ["\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\", "link"],
    ["\u001bPq#0;2;0\u009ctext", "text"],
    ["\u001b(Btext", "text"],
    ["\u001b\u001b[2Jtext", "text"],
    ["a\rb\u0008c\u0000d\u007fe", "abcde"],
    ["a\u202eb\u202cc", "abc"],
    ["\u001b]never closed\nnext line", "\nnext line"],
    ["\u001b[31\nnext", "\nnext"],
  ])("makes %j harmless", (text, visible) => {
    expect(filter(text)).toBe(visible);
  });

  it("lets text go on after a string that is far too long", () => {
    expect(filter(`\u001b]${"x".repeat(5_000)}`, "visible")).toMatch(/visible$/);
  });

  it("gives the same however the text is cut into pieces", () => {
    const piece = fc.oneof(
      fc.constantFrom("\u001b", "[", "]", "31m", "\u0007", "\\", "\n", "\u009b", "🎉", "\ud83c"),
      fc.string({ unit: "grapheme", maxLength: 4 }),
    );
    const text = fc.array(piece, { maxLength: 20 }).map((pieces) => `${pieces.join("")}.`);
    fc.assert(
      fc.property(text, (whole) => {
        const units = Array.from({ length: whole.length }, (_, index) => whole.charAt(index));
        const visible = filter(whole);
        expect(filter(...units)).toBe(visible);
        expect(visible).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
        expect(visible.isWellFormed()).toBe(true);
      }),
    );
  });

  it("makes one line of many", () => {
    expect(toTerminalLine(" a\n\u001b[2Jb\tc ")).toBe("a b c");
  });
});
