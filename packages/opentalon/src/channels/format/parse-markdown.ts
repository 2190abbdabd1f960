import { Marked, type Token, type Tokens } from "marked";

/** Marks of emphasis in one paragraph beyond which they are text: the time to pair them grows with their square. */
const mostMarks = 200;
/** More than that makes also the rest slow. */
const mostMarksAtAll = 600;
/** So many quotes inside of each other mean nothing. */
const deepest = 30;

/** Markdown as a tree; `undefined` for what no person would write, which is better shown as it is. Never throws. */
export function parseMarkdown(markdown: string): readonly Token[] | undefined {
  if (tooDeep.test(markdown) || hasTooManyMarks(markdown)) return undefined;
  let counted = "";
  let isTooMany = false;
  const isText = (source: string): boolean => {
    if (source !== counted) {
      counted = source;
      isTooMany = (source.match(/[*_~]+/g) ?? []).length > mostMarks;
    }
    return isTooMany;
  };
  const marked = new Marked({
    gfm: true,
    tokenizer: {
      // Tags are text, so Markdown goes on between them.
      html: () => undefined,
      // `undefined` is "no emphasis here", `false` is "as usual".
      emStrong: (source, masked, before) =>
        isText(masked) || isProduct(before, source) ? undefined : false,
    },
  });
  try {
    return marked.lexer(markdown);
  } catch {
    return undefined;
  }
}

function hasTooManyMarks(markdown: string): boolean {
  let marks = 0;
  let isCode = false;
  for (const line of markdown.split("\n")) {
    if (/^ {0,3}(?:```|~~~)/.test(line)) isCode = !isCode;
    if (isCode || line.trim() === "") marks = 0;
    else marks += line.match(/[*_~]+/g)?.length ?? 0;
    if (marks > mostMarksAtAll) return true;
  }
  return false;
}

const tooDeep = new RegExp(String.raw`^(?:[ \t]*(?:>|[-*+](?=[ \t]))){${deepest}}`, "m");

/** 2*3*4 is no emphasis. */
function isProduct(before: string | undefined, source: string): boolean {
  return (
    /^\*[\p{L}\p{N}]/u.test(source) &&
    /[\p{L}\p{N}]$/u.test(before ?? "") &&
    /\d/.test(`${before}${source[1]}`)
  );
}

/** What a token stands for as text, without its marks. */
export function toPlainWords(tokens: readonly Token[]): string {
  return tokens
    .map((token) => {
      const { type, tokens: inner, text, raw } = token as Tokens.Generic;
      if (type === "br" || isLineBreakTag(token)) return " ";
      if (type === "codespan") return String(text);
      if (inner !== undefined && type !== "image") return toPlainWords(inner);
      return decodeEntities(typeof text === "string" ? text : raw);
    })
    .join("");
}

export function isLineBreakTag({ type, raw }: Token): boolean {
  return type === "html" && /^<br\s*\/?>$/i.test(raw.trim());
}

const named: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00A0",
};

/** The characters that `&lt;`, `&#39;` and their like stand for; what is none stays. */
export function decodeEntities(text: string): string {
  return text.replaceAll(
    /&(?:#(\d{1,7})|#x([\da-f]{1,6})|(amp|lt|gt|quot|apos|nbsp));/gi,
    (whole, decimal?: string, hexadecimal?: string, name?: string) => {
      if (name !== undefined) return named[name.toLowerCase()] ?? whole;
      const point =
        decimal === undefined ? Number.parseInt(hexadecimal ?? "", 16) : Number(decimal);
      const isCharacter =
        point >= 0x20 && point <= 0x10_ffff && !(point >= 0xd800 && point < 0xe000);
      return isCharacter ? String.fromCodePoint(point) : whole;
    },
  );
}

/**
 * An address that may become a link, with what could end one escaped; `undefined` for scripts, data, commands of
 * platforms and what has no scheme.
 */
export function toLinkAddress(href: string): string | undefined {
  const address = decodeEntities(href).trim();
  if (!/^(?:https?:\/\/|mailto:|tel:)[^\s]/i.test(address)) return undefined;
  return escapeAddress(address);
}

export function escapeAddress(address: string): string {
  return address
    .toWellFormed()
    .replaceAll(/[\s<>"`|\\^{}\u0000-\u001f\u007f-\u009f]/g, (character) =>
      encodeURIComponent(character),
    );
}
