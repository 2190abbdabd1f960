import { Marked, type Tokens } from "marked";

/** Links Matrix lets clients follow. */
const linkPattern = /^(?:https?|mailto|matrix|magnet):/i;

/**
 * Markdown as HTML with the elements Matrix allows. HTML in the text is shown, not followed; images, which clients load from
 * homeservers only, become links. `undefined` when there is nothing the plain text does not say, or when it cannot be read
 * as Markdown.
 */
export function toHtml(text: string): string | undefined {
  try {
    const html = marked.parse(text, { async: false }).trim();
    const paragraph = /^<p>((?:(?!<p>)[^])*)<\/p>$/.exec(html)?.[1];
    const inner = paragraph ?? html;
    const isPlain = inner === escapeHtml(text.trim()).replaceAll("\n", "<br>");
    return isPlain || inner === "" ? undefined : inner;
  } catch {
    // Nested thousands deep.
    return undefined;
  }
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** Of a text that was split at its entities, every second part is one. */
function escapeUnlessEntity(part: string, index: number): string {
  return index % 2 === 1 ? part : escapeHtml(part);
}

const marked = new Marked({
  gfm: true,
  // People who write to each other mean the line breaks they see.
  breaks: true,
  renderer: {
    html: ({ text }) => escapeHtml(text),
    text(token) {
      if ("tokens" in token && token.tokens !== undefined)
        return this.parser.parseInline(token.tokens);
      // Also between HTML, where the library would leave it as it is. An entity is one in Markdown, too.
      return token.text
        .split(/(&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z]\w{1,31});)/i)
        .map(escapeUnlessEntity)
        .join("");
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    code: ({ text, lang = "" }) => {
      const language = /^[\w+#.-]{1,40}/.exec(lang)?.[0];
      const attribute = language === undefined ? "" : ` class="language-${language}"`;
      return `<pre><code${attribute}>${escapeHtml(text)}\n</code></pre>\n`;
    },
    codespan: ({ text }) => `<code>${escapeHtml(text)}</code>`,
    br: () => "<br>",
    link({ href, tokens }) {
      const inner = this.parser.parseInline(tokens);
      return linkPattern.test(href) ? `<a href="${escapeHtml(href)}">${inner}</a>` : inner;
    },
    image: ({ href, text }) => {
      const words = escapeHtml(text === "" ? href : text);
      return linkPattern.test(href) ? `<a href="${escapeHtml(href)}">${words}</a>` : words;
    },
    tablecell({ tokens, header }: Tokens.TableCell) {
      const element = header ? "th" : "td";
      return `<${element}>${this.parser.parseInline(tokens)}</${element}>\n`;
    },
  },
});
