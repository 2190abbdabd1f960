import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatBeginning, formatText, splitFormatted, toPlainText } from "./format-text.ts";

const formats = ["text", "slack", "whatsapp", "telegram", "discord", "teams", "html"] as const;
const write = (markdown: string, format: string): string => formatText(markdown, format).join("|");

describe("formatText", () => {
  it.each([
    ["slack", "*Bold*, _italic_, ~gone~, `code` &amp; <https://e.com/?a=1&amp;b=2|a link>"],
    ["whatsapp", "*Bold*, _italic_, ~gone~, `code` & a link (https://e.com/?a=1&b=2)"],
    [
      "telegram",
      '<b>Bold</b>, <i>italic</i>, <s>gone</s>, <code>code</code> &amp; <a href="https://e.com/?a=1&amp;b=2">a link</a>',
    ],
    ["discord", "**Bold**, *italic*, ~~gone~~, `code` & [a link](https://e.com/?a=1&b=2)"],
    ["teams", "**Bold**, *italic*, ~~gone~~, `code` &amp; [a link](https://e.com/?a=1&b=2)"],
    ["text", "Bold, italic, gone, code & a link (https://e.com/?a=1&b=2)"],
    [
      "html",
      '<p><strong>Bold</strong>, <em>italic</em>, <del>gone</del>, <code>code</code> &amp; <a href="https://e.com/?a=1&amp;b=2">a link</a></p>',
    ],
    ["markdown", "**Bold**, *italic*, ~~gone~~, `code` & [a link](https://e.com/?a=1&b=2)"],
    ["", "**Bold**, *italic*, ~~gone~~, `code` & [a link](https://e.com/?a=1&b=2)"],
    ["constructor", "**Bold**, *italic*, ~~gone~~, `code` & [a link](https://e.com/?a=1&b=2)"],
  ])("writes marks as %s has them", (format, expected) => {
    const markdown = "**Bold**, *italic*, ~~gone~~, `code` & [a link](https://e.com/?a=1&b=2)";
    expect(write(markdown, format)).toBe(expected);
  });

  it.each([
    [
      "slack",
      "*Now more*\n\n• one\n   still one\n   • two\n\n3. three\n\n> said\n> by <https://e.com|one>",
    ],
    [
      "telegram",
      '<b>Now more</b>\n\n• one\n   still one\n   • two\n\n3. three\n\n<blockquote>said\nby <a href="https://e.com">one</a></blockquote>',
    ],
    [
      "whatsapp",
      "*Now more*\n\n- one\n   still one\n   - two\n\n3. three\n\n> said\n> by one (https://e.com)",
    ],
    [
      "discord",
      "# Now **more**\n\n- one\n  still one\n  - two\n\n3. three\n\n> said\n> by [one](https://e.com)",
    ],
    [
      "teams",
      "**Now more**\n\n- one  \n  still one\n  - two\n\n3. three\n\n> said  \n> by [one](https://e.com)",
    ],
  ])("writes headings, lists and quotes as %s has them", (format, expected) => {
    const markdown =
      "# Now **more**\n\n- one\n  still one\n  - two\n\n3. three\n\n> said\n> by [one](https://e.com)";
    expect(write(markdown, format)).toBe(expected);
  });

  it.each([
    ["slack", "Look:\n\n```\nif (a &lt; b &amp;&amp; c) *x*\n```"],
    [
      "telegram",
      'Look:\n\n<pre><code class="language-js">if (a &lt; b &amp;&amp; c) *x*</code></pre>',
    ],
    ["discord", "Look:\n\n```js\nif (a < b && c) *x*\n```"],
    ["text", "Look:\n\nif (a < b && c) *x*"],
  ])("leaves code alone in %s", (format, expected) => {
    expect(write("Look:\n\n```js\nif (a < b && c) *x*\n```", format)).toBe(expected);
  });

  it("puts tables into columns where a platform has none", () => {
    const table = "| a | **n** |\n|---|--:|\n| `x|y` | 7 |\n| 漢字 | 12 |";
    expect(write(table.replace("x|y", "xy"), "whatsapp")).toBe(
      "```\na    |  n\n-----|---\nxy   |  7\n漢字 | 12\n```",
    );
    expect(write(table, "html")).toContain("<th>a</th>");
  });

  it("stands code in lists and quotes at the edge, where nothing gets into it", () => {
    expect(
      write("- see\n  ```\n  a\n    b\n  ```\n- then\n\n> q\n> ```\n> c\n> ```\n> end", "slack"),
    ).toBe("• see\n```\na\n  b\n```\n• then\n\n> q\n\n```\nc\n```\n\n> end");
  });

  it("keeps a mark that is text from becoming one", () => {
    expect(write(String.raw`2*3*4 snake_case \*no\* \_no\_`, "slack")).toBe(
      "2*3*4 snake_case *\u200Bno*\u200B _\u200Bno_\u200B",
    );
    expect(write(String.raw`2*3*4 snake_case \*no\* \_no\_`, "discord")).toBe(
      String.raw`2\*3\*4 snake_case \*no\* \_no\_`,
    );
    expect(write("*.ts", "slack")).toBe("*.ts");
    expect(write(String.raw`\# no heading`, "discord")).toBe(String.raw`\# no heading`);
  });

  it("shows emphasis inside of words where marks count only at their edges", () => {
    expect(write("un**believ**able 漢**字**漢", "slack")).toBe(
      "un\u200B*believ*\u200Bable 漢\u200B*字*\u200B漢",
    );
  });

  it.each([
    ["slack", "<!channel> <@U1> `<!here>`", "&lt;!channel&gt; &lt;@U1&gt; `&lt;!here&gt;`"],
    ["slack", "[x](!channel) [y](<https://e.com|x y>)", "x (!channel) <https://e.com%7Cx%20y|y>"],
    [
      "discord",
      "@everyone <@1> <@&2> [@here](https://e.com)",
      "@\u200Beveryone <\u200B@1> <\u200B@&2> [@\u200Bhere](https://e.com)",
    ],
    [
      "telegram",
      "<b>x</b> &amp;lt; [y](tg://user?id=1)",
      "&lt;b&gt;x&lt;/b&gt; &amp;lt; y (tg://user?id=1)",
    ],
    ["telegram", '[x](https://e.com/"onclick=1)', '<a href="https://e.com/%22onclick=1">x</a>'],
    ["teams", "<at>All</at>", "&lt;at>All&lt;/at>"],
    ["html", "<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"],
    ["html", "[x](javascript:alert(1)) ![y](data:text/html,1)", "<p>x y</p>"],
    [
      "html",
      '[x](https://e.com/" onclick="y) [a](<https://e.com/" onclick="y>)',
      '<p>[x](<a href="https://e.com/">https://e.com/</a>&quot; onclick=&quot;y) <a href="https://e.com/%22%20onclick=%22y">a</a></p>',
    ],
    [
      "html",
      '```x" onclick=1\n</code>\n```',
      '<pre><code class="language-x">&lt;/code&gt;\n</code></pre>',
    ],
  ])("lets no command or tag through to %s: %s", (format, markdown, expected) => {
    expect(write(markdown, format)).toBe(expected);
  });

  it("shows what nobody would write as it is, within a moment", () => {
    for (const bit of ["*a_", "[", "> ", "- ", "![", "<a ", "**a ", "`a``", "| a "]) {
      const text = bit.repeat(8_000 / bit.length);
      for (const format of formats)
        expect(formatText(text, format, 1_000).length).toBeGreaterThan(1);
    }
  });

  it("cuts between paragraphs, closing and opening what a cut goes through", () => {
    const code = Array.from({ length: 12 }, (_, line) => `  line(${line} < 9)`).join("\n");
    const parts = formatText(
      `Intro **with ${"bold words ".repeat(12).trim()}**.\n\n\`\`\`js\n${code}\n\`\`\`\n\nDone.`,
      "telegram",
      120,
    );
    expect(parts.length).toBeGreaterThan(3);
    expect(parts[1]).toMatch(/^<b>/);
    for (const part of parts) expect(findProblem(part)).toBe("");
    expect(
      parts.slice(2, -1).every((part) => part.startsWith('<pre><code class="language-js">  line')),
    ).toBe(true);
    expect(parts.map((part) => toPlainText(part, "telegram")).join("\n")).toContain(
      "  line(11 < 9)",
    );
  });

  it("never makes a message too long, and always a whole one", () => {
    const bits = fc.constantFrom(
      "**",
      "*",
      "_",
      "~~",
      "`",
      "```",
      "\n",
      "\n\n",
      "> ",
      "- ",
      "1. ",
      "# ",
      "|",
      "[a](https://e.com/x)",
      "<b>",
      "&",
      "&lt;",
      "word ",
      "longer words here ",
      "👨‍👩‍👧‍👦",
      "e\u0301",
      "漢字",
      "\\",
      "<https://e.com>",
      "| a | b |\n|---|---|\n| 1 | 2 |\n",
    );
    const markdown = fc.array(bits, { maxLength: 60 }).map((each) => each.join(""));
    fc.assert(
      fc.property(markdown, fc.integer({ min: 40, max: 200 }), (text, limit) => {
        for (const format of formats) {
          const parts = formatText(text, format, limit);
          for (const part of parts) {
            expect(part.length).toBeLessThanOrEqual(limit);
            expect(part.isWellFormed()).toBe(true);
            expect(part.trim() !== "" || parts.length === 1).toBe(true);
            if (format === "telegram") expect(findProblem(part)).toBe("");
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("formatBeginning", () => {
  it.each([
    ["Here is **bold te", "Here is <b>bold te</b>"],
    ["Here is **", "Here is"],
    ["Use `npm in", "Use <code>npm in</code>"],
    ["See [the docs](https://exam", "See the docs"],
    ["```js\nconst a", '<pre><code class="language-js">const a</code></pre>'],
    ["- one\n- tw", "• one\n• tw"],
    ["| a | b |\n|--", "| a | b |\n|--"],
  ])("shows half of %j as a whole message", (markdown, expected) => {
    expect(formatBeginning(markdown, "telegram", 0)).toBe(expected);
  });

  it("is always fit to be sent, wherever the text ends", () => {
    const text =
      "# A **b**\n\n- `c` [d](https://e.com) *e*\n\n```js\nf<g>\n```\n\n> h & ~~i~~\n\n| j |\n|---|\n| k |";
    for (let end = 1; end <= text.length; end += 1) {
      expect(findProblem(formatBeginning(text.slice(0, end), "telegram", 60))).toBe("");
    }
  });
});

describe("splitFormatted", () => {
  it("cuts text of a formatter outside of tags and characters", () => {
    const text = `<b>${"bold &amp; <i>italic</i> ".repeat(10)}</b>\n<pre>${"  code &lt;\n".repeat(9)}</pre>`;
    const parts = splitFormatted(text, "telegram", 80);
    for (const part of parts) {
      expect(part.length).toBeLessThanOrEqual(80);
      expect(findProblem(part)).toBe("");
    }
    expect(
      parts
        .map((part) => toPlainText(part, "telegram"))
        .join(" ")
        .match(/bold & italic/g)?.length,
    ).toBe(10);
  });

  it("leaves what fits, and knows code blocks of other formats", () => {
    expect(splitFormatted("<b>x", "telegram", 80)).toEqual(["<b>x"]);
    expect(splitFormatted(`\`\`\`\n${"a\n".repeat(30)}\`\`\``, "slack", 40)[1]).toMatch(/^```\na/);
  });
});

/** What Telegram would not take: tags it does not know, tags without a partner, bare `<` and `&`. */
function findProblem(html: string): string {
  const open: string[] = [];
  const rest = html.replaceAll(
    /<(\/?)([a-z]+)((?: [a-z]+="[^"<>]*")?)>/g,
    (_, slash: string, name: string) => {
      if (!["b", "i", "s", "a", "code", "pre", "blockquote"].includes(name))
        return `unknown ${name}`;
      if (slash === "") open.push(name);
      else if (open.pop() !== name) return "<";
      return "";
    },
  );
  if (open.length > 0) return `left open: ${open.join(", ")}`;
  return /[<>]|&(?!(?:lt|gt|amp|quot);)/.exec(rest)?.[0] ?? "";
}
