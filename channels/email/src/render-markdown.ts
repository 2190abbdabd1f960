import { Marked } from "marked";

/** Longer texts go out as plain text only. */
const longestMarkdown = 30_000;

/**
 * Markdown as HTML for mail programs; `undefined` when it is too long or too odd for that. The text may be anything: HTML in it is shown, not
 * meant, links lead to addresses of the web or of mail only, and images become links, since loading one would tell its
 * owner who reads what.
 */
export function renderMarkdown(markdown: string): string | undefined {
  if (markdown.length > longestMarkdown) return undefined;
  const marked = new Marked({
    gfm: true,
    breaks: true,
    renderer: {
      html: ({ text }) => escape(text),
      text(token) {
        if ("tokens" in token && token.tokens !== undefined)
          return this.parser.parseInline(token.tokens);
        // Also between HTML, where the library would leave it as it is. An entity is one in Markdown, too.
        return token.text.split(entity).map(escapeUnlessEntity).join("");
      },
      link({ href, tokens }) {
        const words = this.parser.parseInline(tokens);
        return toLink(href, words);
      },
      image: ({ href, text }) => toLink(href, escape(text === "" ? href : text)),
    },
  });
  try {
    const body = marked.parse(markdown, { async: false });
    return `<!DOCTYPE html><html><body>${body}</body></html>`;
  } catch {
    return undefined;
  }
}

const entity = /(&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z]\w{1,31});)/i;

/** Of a text that was split at its entities, every second part is one. */
function escapeUnlessEntity(part: string, index: number): string {
  return index % 2 === 1 ? part : escape(part);
}

function toLink(href: string, words: string): string {
  if (!/^(?:https?:\/\/|mailto:)[^\s<>"]+$/i.test(href)) return words;
  return `<a href="${escape(href)}">${words}</a>`;
}

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => escapes[character] ?? character);
}
