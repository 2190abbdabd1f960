import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maxTextLength, toEditContent, toTextContent } from "./to-content.ts";
import { toHtml } from "./to-html.ts";

const place = { threadId: "$root", replyTo: "$asked", mentioned: "@ada:hs.test" };
const options = { kind: "m.text", place, marks: { mark: { id: "call-1" } } } as const;
/** 65,536 less what homeservers add. */
const maxBytes = 60_000;

const toBytes = (content: unknown): number => Buffer.byteLength(JSON.stringify(content));

describe("contents of messages", () => {
  it.each([
    ["emoji", "🎉"],
    ["Chinese", "汉"],
    ["quotes", '"'],
    ["control characters", "\u0001"],
    ["half characters", "\ud800"],
    ["HTML", "<&"],
    ["emphasis", "*a* "],
    ["line ends", "\r\n"],
  ])("of the longest text made of %s fit into an event", (_name, piece) => {
    const text = piece.repeat(Math.floor(maxTextLength / piece.length));
    expect(toBytes(toTextContent(text, options))).toBeLessThan(maxBytes);
    expect(toBytes(toEditContent(text, `$${"e".repeat(254)}`, options))).toBeLessThan(maxBytes);
  });

  it("fit whatever the text is, and keep all of it that can be seen", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (piece) => {
        const text = piece
          .repeat(Math.ceil(2_000 / Math.max(1, piece.length)))
          .slice(0, maxTextLength);
        const content = toTextContent(text, options);
        expect(toBytes(content)).toBeLessThan(maxBytes);
        expect(content["body"]).toBe(text.toWellFormed().replaceAll(/[\0-\x08\v\f\x0e-\x1f]/g, ""));
      }),
    );
  });
});

describe("Markdown", () => {
  it.each([
    ["# T\n\n- a\n- [x] b", "<h1>T</h1>\n<ul>\n<li>a</li>\n<li>☑ b</li>\n</ul>"],
    ["```js x\na<b\n```", '<pre><code class="language-js">a&lt;b\n</code></pre>'],
    ["two\n*lines*", "two<br><em>lines</em>"],
    ["<b>shown</b> *x*", "&lt;b&gt;shown&lt;/b&gt; <em>x</em>"],
    ["[a](javascript:alert(1)) *x*", "a <em>x</em>"],
    ['[a](https://x.test/?q="&b)', '<a href="https://x.test/?q=&quot;&amp;b">a</a>'],
    ["![cat](https://x.test/cat.png)", '<a href="https://x.test/cat.png">cat</a>'],
    ["![](data:image/png;base64,AA)", "data:image/png;base64,AA"],
    [
      "|a|\n|:-:|\n|`<`|",
      "<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n<tbody><tr>\n<td><code>&lt;</code></td>\n</tr>\n</tbody></table>",
    ],
  ])("becomes HTML of the kind Matrix knows: %j", (text, html) => {
    expect(toHtml(text)).toBe(html);
  });

  it.each(["plain", "two\nlines & <b> 'quoted'", "", "snake_case_name", ">".repeat(16_000)])(
    "is left out where it says nothing more, or cannot be read: %#",
    (text) => {
      expect(toHtml(text)).toBeUndefined();
    },
  );

  it("never lets an element or an address through that the text did not ask for", () => {
    const allowed =
      /^<\/?(?:h[1-6]|p|a|ul|ol|li|blockquote|pre|code|em|strong|del|hr|br|table|thead|tbody|tr|th|td)(?: (?:href="(?:https?|mailto|matrix|magnet):[^"<>]*"|class="language-[\w+#.-]+"|start="\d+"))*>$/i;
    const piece = fc.constantFrom(
      "<script>",
      "</a>",
      '<img src="x" onerror="y">',
      "[a](",
      "javascript:x)",
      "`",
      "```",
      "\n\n",
      "*",
      "_",
      "![",
      "](",
      ")",
      "https://x",
      '"',
      "'",
      "&lt;",
      "<!--",
      "- ",
      "1. ",
      "> ",
      "|",
      "---",
      "a",
      "<a href='x'>",
      "\\",
      "  \n",
      "~~",
      "<http://y>",
      "[r]: javascript:z",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const html = toHtml(pieces.join("")) ?? "";
        for (const [element] of html.matchAll(/<[^>]*>?/g)) expect(element).toMatch(allowed);
      }),
    );
  });
});
