import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLinearRegex, quoteRegex } from "./linear-regex.ts";

describe("a regular expression of a definition", () => {
  it.each([
    ["<at>[^<]*</at>\\s*", "<at>Bot</at>  hello <at>x</at>", "", "hello "],
    ["a|ab", "xaby", "-", "x-by"],
    ["(a*)*", "baac", "-", "-b-c-"],
    ["(?i)HELLO", "hello Hello", "x", "x x"],
    ["(?P<first>\\w+) (\\w+)", "one two", "${2} $first", "two one"],
    ["(\\w)(\\w)", "abcd", "$2$1", "badc"],
    ["\\bcat\\b", "cat concat cat", "dog", "dog concat dog"],
    ["^a", "aaa", "b", "baa"],
    ["(?m)^a$", "a\nb\na", "x", "x\nb\nx"],
    ["a{2,3}", "aaaaa", "x", "xx"],
    ["a{2,3}?", "aaaaa", "x", "xxa"],
    ["<.+?>", "<a><b>", "", ""],
    ["[[:digit:]]+|\\pL", "a1b22", ".", "...."],
    ["\\x{1F389}|[é-ü]", "🎉 é", "!", "! !"],
    ["\\Qa.b\\E+", "a.bbb axb", "-", "- axb"],
    ["$", "ab", "!", "ab!"],
    ["(?s)a.b", "a\nb", "x", "x"],
    ["[^\\d\\s]", "1 a", "x", "1 x"],
    ["x", "x", "$$1", "$1"],
    ["[]a]", "]a", "-", "--"],
  ])("%s in %j", (pattern, text, replacement, expected) => {
    expect(createLinearRegex(pattern).replaceAll(text, replacement)).toBe(expected);
  });

  it("takes time that grows with the text, whatever the expression", () => {
    const text = "a".repeat(10_000);
    expect(createLinearRegex("(a+)+b").test(text)).toBe(false);
    expect(createLinearRegex("(a|aa)+$").test(`${text}!`)).toBe(false);
    expect(() => createLinearRegex("(a?){800}a{800}").replaceAll(text, "")).toThrow(RangeError);
  });

  it.each([
    "(",
    "a)",
    "[a",
    "*",
    "a**",
    "(?=a)",
    "(?<!a)",
    "(a)\\1",
    "a{3,2}",
    "\\p{Nothing}",
    "a{1001}",
  ])("refuses %s", (pattern) => {
    expect(() => createLinearRegex(pattern)).toThrow(Error);
  });

  it("matches quoted text and nothing else", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string(), (text, other) => {
        const regex = createLinearRegex(`^${quoteRegex(text)}$`);
        expect(regex.test(text)).toBe(true);
        expect(regex.test(other)).toBe(other === text);
      }),
    );
  });

  it("agrees with the platform where both have one meaning", () => {
    const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "(a)", "(b|ab)", "(?:ba)", "\\w");
    const item = fc
      .tuple(atom, fc.constantFrom("", "*", "+", "?", "{1,2}", "+?", "*?"))
      .map((both) => both.join(""));
    const pattern = fc.array(item, { minLength: 1, maxLength: 5 }).map((items) => items.join(""));
    const text = fc
      .array(fc.constantFrom("a", "b", "c"), { maxLength: 12 })
      .map((all) => all.join(""));
    fc.assert(
      fc.property(pattern, text, (source, subject) => {
        const found = new RegExp(source, "s").exec(subject);
        expect(createLinearRegex(`(?s)${source}`).test(subject)).toBe(found !== null);
        if (found === null || found[0] === "") return;
        const expected = subject.replace(new RegExp(source, "s"), "<$&>");
        const marked = createLinearRegex(`(?s)(${source})`).replaceAll(subject, "<$1>");
        expect(marked.slice(0, expected.indexOf(">") + 1)).toBe(
          expected.slice(0, expected.indexOf(">") + 1),
        );
      }),
    );
  });
});
