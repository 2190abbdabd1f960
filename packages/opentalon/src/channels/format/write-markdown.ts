import type { Token, Tokens } from "marked";
import type { ChatStyle, Marks } from "./chat-style.ts";
import {
  decodeEntities,
  escapeAddress,
  isLineBreakTag,
  parseMarkdown,
  toLinkAddress,
  toPlainWords,
} from "./parse-markdown.ts";
import { type Piece, toBreak, toCodePieces, toPieces, toSolid, type Wrapper } from "./pieces.ts";
import { writeTable } from "./write-table.ts";

/** Markdown in the words of a chat platform. Whatever the text holds is data: nothing of it becomes a mark, a tag or a command. */
export function writeMarkdown(markdown: string, style: ChatStyle): readonly Piece[] {
  const tokens = parseMarkdown(markdown);
  if (tokens === undefined) return toPieces(markdown, [], style.escape);
  return createWriter(style).blocks(tokens, []);
}

type Wrappers = readonly Wrapper[];

const gap = "\u200B";

function createWriter(style: ChatStyle) {
  const blocks = (tokens: readonly Token[], outer: Wrappers, isTight = false): Piece[] => {
    const pieces: Piece[] = [];
    let before = "";
    for (const token of tokens) {
      const written = block(token, outer);
      if (written.length === 0) continue;
      const isAtEdge = atEdge.has(token.type) || atEdge.has(before);
      if (pieces.length > 0) pieces.push(toBreak(isTight ? "\n" : "\n\n", isAtEdge ? [] : outer));
      pieces.push(...written);
      before = token.type;
    }
    return pieces;
  };

  const block = (token: Token, outer: Wrappers): readonly Piece[] => {
    switch (token.type) {
      case "heading":
        return heading(token as Tokens.Heading, outer);
      case "code":
        return code(token as Tokens.Code);
      case "blockquote":
        return quote(token as Tokens.Blockquote, outer);
      case "list":
        return list(token as Tokens.List, outer);
      case "table":
        return table(token as Tokens.Table);
      case "hr":
        return [toSolid(style.rule, outer)];
      case "space":
      case "def":
        return [];
      case "paragraph":
      case "text":
        return inline((token as Tokens.Paragraph).tokens ?? [token], outer);
      default:
        return isLineBreakTag(token) ? [] : inline([token], outer);
    }
  };

  const heading = ({ tokens, depth }: Tokens.Heading, outer: Wrappers): readonly Piece[] => {
    const marks = style.heading(depth);
    const isBold = marks.open === style.bold.open && marks.open !== "";
    return inline(tokens, [...outer, toInline(marks)], { isBold });
  };

  /** Code stands at the edge also inside of lists and quotes: what stands before its lines would become part of it. */
  const code = ({ text, lang }: Tokens.Code): readonly Piece[] => {
    const language = /^[\w+#.-]{1,30}/.exec(lang ?? "")?.[0] ?? "";
    const wrapper: Wrapper = style.fence(language, text);
    const lines = text.replaceAll(/^\n+|\n+$/g, "");
    return toCodePieces(lines, wrapper.open === "" ? [] : [wrapper], style.escapeCode);
  };

  const quote = ({ tokens }: Tokens.Blockquote, outer: Wrappers): readonly Piece[] => {
    const isInside = outer.some(({ open }) => open === style.quote.open);
    if (isInside && !style.hasQuotesInQuotes) return blocks(tokens, outer);
    return blocks(tokens, [...outer, { ...style.quote }]);
  };

  const list = (
    { items, ordered, start, loose }: Tokens.List,
    outer: Wrappers,
  ): readonly Piece[] => {
    const first = typeof start === "number" ? start : 1;
    return items.flatMap((item, index) => {
      const sign = ordered ? `${first + index}. ` : style.bullet;
      const box = item.task ? (item.checked === true ? "☑ " : "☐ ") : "";
      const width = style.isMarkdown ? sign.length : Math.max(3, sign.length);
      const inner: Wrapper = { open: "", close: "", linePrefix: " ".repeat(width) };
      const content = item.tokens.filter(({ type }) => type !== "checkbox");
      const written = blocks(content, [...outer, inner], !loose);
      const before = index === 0 ? [] : [toBreak("\n", outer)];
      return [...before, toSolid(sign + box, [...outer, inner]), ...written];
    });
  };

  const table = (token: Tokens.Table): readonly Piece[] => {
    const lines = writeTable(token);
    const wrapper: Wrapper = style.fence("", lines);
    return toCodePieces(lines, wrapper.open === "" ? [] : [wrapper], style.escapeCode);
  };

  interface Place {
    readonly isBold?: boolean;
    readonly isLabel?: boolean;
  }

  const inline = (tokens: readonly Token[], outer: Wrappers, place: Place = {}): Piece[] => {
    const pieces: Piece[] = [];
    for (const [index, token] of tokens.entries()) {
      const written = span(token, outer, place);
      const isMarked = ["strong", "em", "del", "codespan"].includes(token.type);
      if (isMarked && style.needsEdges && written.length > 0) {
        const before = tokens[index - 1]?.raw ?? "";
        const after = tokens[index + 1]?.raw ?? "";
        if (/[\p{L}\p{N}]$/u.test(before)) pieces.push(toSolid(gap, outer));
        pieces.push(...written);
        if (/^[\p{L}\p{N}]/u.test(after)) pieces.push(toSolid(gap, outer));
      } else pieces.push(...written);
    }
    return pieces;
  };

  const span = (token: Token, outer: Wrappers, place: Place): readonly Piece[] => {
    switch (token.type) {
      case "strong": {
        const { tokens } = token as Tokens.Strong;
        if (place.isBold === true || place.isLabel === true) return inline(tokens, outer, place);
        return inline(tokens, [...outer, toInline(style.bold)], { ...place, isBold: true });
      }
      case "em":
        return emphasis(token as Tokens.Em, style.italic, outer, place);
      case "del":
        return emphasis(token as Tokens.Del, style.strike, outer, place);
      case "codespan":
        return codeSpan(token as Tokens.Codespan, outer, place);
      case "br":
        return [toBreak(style.lineBreak, outer)];
      case "link":
        return link(token as Tokens.Link, outer, place);
      case "image": {
        const { href, text } = token as Tokens.Image;
        return linkTo(href, text === "" ? href : text, outer, place);
      }
      case "html":
        return isLineBreakTag(token)
          ? [toBreak(style.lineBreak, outer)]
          : words((token as Tokens.HTML).text, outer);
      case "escape": {
        const { text } = token as Tokens.Escape;
        return words(style.hasBareMarks && /[*_~`]/.test(text) ? text + gap : text, outer);
      }
      case "text":
        return words(decodeEntities((token as Tokens.Text).text), outer);
      default:
        return words(token.raw, outer);
    }
  };

  const emphasis = (
    { tokens }: Tokens.Em | Tokens.Del,
    marks: Marks,
    outer: Wrappers,
    place: Place,
  ): readonly Piece[] =>
    inline(tokens, place.isLabel === true ? outer : [...outer, toInline(marks)], place);

  const codeSpan = ({ text }: Tokens.Codespan, outer: Wrappers, place: Place): readonly Piece[] => {
    if (place.isLabel === true) return words(text, outer);
    const marks = style.code(text);
    // Nothing in the code may end it.
    const safe = marks.open === "`" ? text.replaceAll("`", "'") : text;
    const around = style.isCodeAlone ? outer.filter(({ isInline }) => isInline !== true) : outer;
    return toPieces(safe, [...around, toInline(marks)], style.escapeCode);
  };

  const link = (
    { href, text, tokens, autolink }: Tokens.Link,
    outer: Wrappers,
    place: Place,
  ): readonly Piece[] =>
    linkTo(href, autolink === true ? text : toPlainWords(tokens), outer, place);

  const linkTo = (href: string, label: string, outer: Wrappers, place: Place): readonly Piece[] => {
    if (place.isLabel === true) return words(label, outer);
    const address = toLinkAddress(href);
    const isBare = label === href || `mailto:${label}` === href || `http://${label}` === href;
    if (address === undefined)
      return isBare ? words(label, outer) : both(label, words(`(${href})`, outer), outer);
    // Platforms make a link of an address by themselves; without a scheme Slack would take it for a command.
    if (isBare) {
      const isWhole = /^https?:/i.test(label);
      return [toSolid((isWhole ? style.address : style.escape)(escapeAddress(label)), outer)];
    }
    if (style.link === undefined)
      return both(label, [toSolid(`(${style.address(address)})`, outer)], outer);
    return words(label.trim(), [...outer, toInline(style.link(address))]);
  };

  const both = (label: string, address: readonly Piece[], outer: Wrappers): readonly Piece[] => [
    ...words(label, outer),
    ...toPieces(" ", outer),
    ...address,
  ];

  const words = (text: string, outer: Wrappers): readonly Piece[] => {
    const lines = text.split("\n");
    return lines.flatMap((line, index) => {
      const written = style.isMarkdown ? escapeLineStart(line, outer) : defuse(line, outer);
      return index === 0 ? written : [toBreak(style.lineBreak, outer), ...written];
    });
  };

  /** Characters that would make a heading, a list or a quote of a line that is none. */
  const escapeLineStart = (line: string, outer: Wrappers): readonly Piece[] => {
    const start = /^(?:#{1,6}|>+|[-+]|-#|\d{1,9}(?=[.)]\s))(?=\s|$|[.)]\s)/.exec(line)?.[0];
    if (start === undefined) return toPieces(line, outer, style.escape);
    const escaped = /^\d/.test(start)
      ? `${start}\\${line.charAt(start.length)}`
      : start.replace(/^[-+#>]/, String.raw`\$&`);
    const rest = line.slice(/^\d/.test(start) ? start.length + 1 : start.length);
    return [toSolid(escaped, outer), ...toPieces(rest, outer, style.escape)];
  };

  /** Two marks at edges of words would make bold what is not: a character nobody sees keeps them apart from the word. */
  const defuse = (line: string, outer: Wrappers): readonly Piece[] => {
    const found = style.hasBareMarks ? (line.match(bareMark) ?? []) : [];
    const isPaired =
      found.length > 1 ||
      (found.length === 1 && /[*_~`]/.test(line.slice(line.search(bareMark) + 1)));
    if (!isPaired) return toPieces(line, outer, style.escape);
    return toPieces(line, outer, (text) => style.escape(text.replaceAll(bareMark, `$1${gap}`)));
  };

  return { blocks };
}

/** What stands outside of the list or the quote it is in. */
const atEdge: ReadonlySet<string> = new Set(["code", "table"]);

/** A mark that a platform may take for the beginning of something. */
const bareMark = /(?<![\p{L}\p{N}])([*_~`])(?=\S)/gu;

function toInline(marks: Marks): Wrapper {
  return { ...marks, isInline: true };
}
