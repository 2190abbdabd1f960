import { expect, test } from "vitest";
import { toPrintableLine, toPrintableText } from "./printable.ts";

test.each([
  ["\u001b[31mred\u001b[0m", "red"],
  ["\u001b]52;c;ZXZpbA==\u0007", "�]52;c;ZXZpbA==�"],
  ["\u009b2J", "�2J"],
  ["one\ntwo\rthree", "one�two�three"],
  ["\u202etxt.exe\u2066", "�txt.exe�"],
  ["\tindented \t", "  indented"],
  ["Zürich 👋 \u200dok", "Zürich 👋 \u200dok"],
])("a printable line of %j", (text, expected) => expect(toPrintableLine(text)).toBe(expected));

test("a printable text keeps its lines and nothing else", () => {
  expect(toPrintableText("one\r\n\u001b[2Jtwo\n")).toBe("one\ntwo\n");
});
