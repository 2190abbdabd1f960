import { Marked, type Tokens } from "marked";
import { escapeHtml } from "./chat-style.ts";
import { decodeEntities, isLineBreakTag, parseMarkdown, toLinkAddress } from "./parse-markdown.ts";

/** Markdown as HTML without anything that runs or loads: tags of the text are text, images are links. */
export function writeHtml(markdown: string): string {
  const tokens = parseMarkdown(markdown);
  if (tokens === undefined) return toParagraph(markdown);
  const link = (href: string, label: string): string => {
    const address = toLinkAddress(href);
    return address === undefined ? label : `<a href="${escapeHtml(address)}">${label}</a>`;
  };
  const marked = new Marked({
    gfm: true,
    renderer: {
      html: (token) => (isLineBreakTag(token) ? "<br>" : escapeHtml(token.text)),
      text: (token) => {
        const { tokens: inner } = token as Tokens.Text;
        if (inner !== undefined && inner.length > 0) return false;
        return withBreaks(escapeHtml(decodeEntities(token.text)));
      },
      code: ({ text, lang }) => {
        const language = /^[\w+#.-]{1,30}/.exec(lang ?? "")?.[0];
        const attribute = language === undefined ? "" : ` class="language-${language}"`;
        return `<pre><code${attribute}>${escapeHtml(text)}\n</code></pre>\n`;
      },
      codespan: ({ text }) => `<code>${escapeHtml(text)}</code>`,
      checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
      image: ({ href, text }) => link(href, escapeHtml(text === "" ? href : text)),
      link({ href, tokens: label }) {
        return link(href, this.parser.parseInline(label));
      },
    },
  });
  try {
    return marked.parser([...tokens]).trim();
  } catch {
    return toParagraph(markdown);
  }
}

function toParagraph(text: string): string {
  return `<p>${withBreaks(escapeHtml(text))}</p>`;
}

function withBreaks(text: string): string {
  return text.replaceAll("\n", "<br>\n");
}
