/**
 * Text of a mail that only exists as HTML, for a model to read. One pass over the text, whatever it holds: nothing is run,
 * loaded or looked for twice.
 */

/** More than this of a page is left out. */
const longestHtml = 2_000_000;

const skipped = new Set(["head", "noscript", "script", "style", "svg", "template", "title"]);
const paragraphs = new Set([
  "blockquote",
  "h1",
  "h2",
  "h3",
  "h4",
  "h5",
  "h6",
  "ol",
  "p",
  "pre",
  "table",
  "ul",
]);
const lines = new Set([
  "address",
  "article",
  "div",
  "dd",
  "dt",
  "footer",
  "header",
  "hr",
  "li",
  "section",
  "tr",
]);

export function toText(html: string): string {
  const text = createText();
  /** A link ends where the next one begins: what a link holds is looked through once. */
  let link: { readonly url: string; readonly from: number } | undefined;
  const limited = html.slice(0, longestHtml);
  let position = 0;
  while (position < limited.length) {
    const open = limited.indexOf("<", position);
    if (open < 0) {
      text.add(limited.slice(position));
      break;
    }
    text.add(limited.slice(position, open));
    if (limited.startsWith("<!--", open)) {
      position = endOf(limited, "-->", open);
      continue;
    }
    if (!/[a-z/!?]/i.test(limited.charAt(open + 1))) {
      text.add("<");
      position = open + 1;
      continue;
    }
    position = endOf(limited, ">", open);
    const tag = limited.slice(open + 1, position - 1);
    const [, slash = "", word = ""] = /^(\/?)([a-z0-9]+)/i.exec(tag) ?? [];
    const name = word.toLowerCase();
    const isEnd = slash !== "";
    if (!isEnd && skipped.has(name)) {
      position = endOfElement(limited, name, position);
    } else if (name === "br") text.breakLine();
    else if (name === "blockquote") text.quote(isEnd);
    else if (paragraphs.has(name)) text.breakParagraph();
    else if (lines.has(name)) {
      text.startLine();
      if (name === "li" && !isEnd) text.add("- ");
      if (name === "hr") {
        text.add("________________________________");
        text.startLine();
      }
    } else if (name === "td" || name === "th") text.add(" ");
    else if (name === "a" && !isEnd) link = { url: toUrl(tag), from: text.position() };
    else if (name === "a") {
      if (link !== undefined && link.url !== "" && !text.since(link.from).includes(link.url))
        text.add(` (${link.url})`);
      link = undefined;
    }
  }
  return text.finish();
}

function endOf(html: string, end: string, from: number): number {
  const found = html.indexOf(end, from);
  return found < 0 ? html.length : found + end.length;
}

/** Past the end of an element; past everything when it has none, as browsers do. */
function endOfElement(html: string, name: string, from: number): number {
  const end = new RegExp(`</${name}[\\s/>]`, "gi");
  end.lastIndex = from;
  const found = end.exec(html);
  return found === null ? html.length : endOf(html, ">", found.index);
}

function toUrl(tag: string): string {
  const [, quoted, bare = ""] = /\shref\s*=\s*(?:["']([^"']*)["']|([^\s"'>]+))/i.exec(tag) ?? [];
  const url = decode(quoted ?? bare).trim();
  return /^(?:https?:\/\/|mailto:)[^\s]+$/i.test(url) && url.length <= 2_000 ? url : "";
}

interface Text {
  readonly add: (html: string) => void;
  readonly breakLine: () => void;
  readonly startLine: () => void;
  readonly breakParagraph: () => void;
  readonly quote: (isEnd: boolean) => void;
  /** Where in the line the next words stand. */
  readonly position: () => number;
  readonly since: (position: number) => string;
  readonly finish: () => string;
}

/** Lines as they will be shown; what is quoted begins with `> `, as it does in mails of plain text. */
function createText(): Text {
  const done: string[] = [];
  /** The line that is being written. */
  let pieces: string[] = [];
  let endsWithSpace = true;
  let depth = 0;
  const breakLine = (): void => {
    const words = pieces.join("").trim();
    const prefix = "> ".repeat(Math.min(depth, 5));
    done.push(words === "" ? prefix.trimEnd() : `${prefix}${words}`);
    pieces = [];
    endsWithSpace = true;
  };
  const startLine = (): void => {
    if (pieces.length > 0) breakLine();
  };
  const breakParagraph = (): void => {
    startLine();
    if (done.at(-1) !== "") done.push("");
  };
  return {
    add: (html) => {
      const words = decode(html).replaceAll(/\s+/g, " ");
      const piece = endsWithSpace ? words.trimStart() : words;
      if (piece === "") return;
      pieces.push(piece);
      endsWithSpace = piece.endsWith(" ");
    },
    breakLine,
    startLine,
    breakParagraph,
    quote: (isEnd) => {
      startLine();
      depth = Math.max(0, depth + (isEnd ? -1 : 1));
    },
    position: () => pieces.length,
    since: (position) => pieces.slice(position).join(""),
    finish: () => {
      startLine();
      return done
        .join("\n")
        .replaceAll(/\n{3,}/g, "\n\n")
        .trim();
    },
  };
}

const names: Readonly<Record<string, string>> = {
  amp: "&",
  apos: "'",
  auml: "ä",
  Auml: "Ä",
  bull: "•",
  copy: "©",
  eacute: "é",
  egrave: "è",
  euro: "€",
  gt: ">",
  hellip: "…",
  laquo: "«",
  ldquo: "“",
  lsquo: "‘",
  lt: "<",
  mdash: "—",
  middot: "·",
  nbsp: " ",
  ndash: "–",
  ouml: "ö",
  Ouml: "Ö",
  quot: '"',
  raquo: "»",
  rdquo: "”",
  reg: "®",
  rsquo: "’",
  shy: "",
  szlig: "ß",
  trade: "™",
  uuml: "ü",
  Uuml: "Ü",
  zwj: "",
  zwnj: "",
};

function decode(text: string): string {
  return text.replaceAll(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,8}));?/gi,
    (whole, ...found) => {
      const [decimal, hex, name] = found as (string | undefined)[];
      if (name !== undefined) return Object.hasOwn(names, name) ? (names[name] ?? whole) : whole;
      const code = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
      const isText = code > 0 && code <= 0x10_ff_ff && !(code >= 0xd8_00 && code <= 0xdf_ff);
      return isText ? String.fromCodePoint(code) : "\ufffd";
    },
  );
}
