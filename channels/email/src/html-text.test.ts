import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toText } from "./html-text.ts";

describe("text of HTML", () => {
  it("has the words, the lines and the links, and nothing of what is not shown", () => {
    const html = `<html><head><title>t</title><style>p{color:red}</style></head><body>
      <p>Hello <b>you</b> &amp; me,</p><div>look&nbsp;here:<br>one</div>
      <ul><li>first<li>second</ul><a href="https://x.example/a?b=1&amp;c=2">the page</a>
      <a href="javascript:alert(1)">odd</a><script>alert("<p>no</p>")</script><!-- <p>hidden</p> -->
      <p>5 &lt; 6 &#8364; &#x1F389; a<b</p></body></html>`;
    expect(toText(html)).toBe(
      "Hello you & me,\n\nlook here:\none\n\n- first\n- second\n\nthe page (https://x.example/a?b=1&c=2) odd\n\n5 < 6 € 🎉 a",
    );
  });

  it("marks what is quoted", () => {
    const html =
      "<div>Yes.</div><div>On Monday Bob wrote:<blockquote>Shall we?<blockquote>Older</blockquote></blockquote></div>";
    expect(toText(html)).toBe("Yes.\nOn Monday Bob wrote:\n> Shall we?\n> > Older");
  });

  it("is found in any text, in time", () => {
    fc.assert(
      fc.property(fc.string(), (html) => {
        expect(typeof toText(html)).toBe("string");
      }),
    );
    const links = "<a href='https://x.example/'>b</a>";
    for (const part of [
      "<",
      "<a ",
      "<!--",
      "<script>",
      "<blockquote>",
      "&#",
      "<p <p",
      "x<b>",
      links,
    ])
      expect(typeof toText(part.repeat(100_000))).toBe("string");
    const many = 45_000;
    const nested = "<a href='https://x.example/'>b".repeat(many) + "</a>".repeat(many);
    expect(toText(nested)).toBe(`${"b".repeat(many)} (https://x.example/)`);
  });
});
