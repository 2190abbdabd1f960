import { escapeHtml } from "./chat-style.ts";
import { decodeEntities } from "./parse-markdown.ts";
import { type Piece, toSolid, type Wrapper } from "./pieces.ts";

/** Formatted HTML as pieces: tags are around text, and neither they nor characters like `&lt;` are cut through. */
export function readHtml(html: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let open: { readonly name: string; readonly wrapper: Wrapper }[] = [];
  let wrappers: readonly Wrapper[] = [];
  let word = "";
  const flush = (): void => {
    if (word !== "") pieces.push({ ...toSolid(word, wrappers), escape: escapeHtml });
    word = "";
  };
  const addSolid = (text: string): void => {
    flush();
    pieces.push(toSolid(text, wrappers));
  };
  const addTag = (whole: string, slash: string, written: string): void => {
    flush();
    const name = written.toLowerCase();
    const index = open.findLastIndex((each) => each.name === name);
    if (slash === "") open = [...open, { name, wrapper: { open: whole, close: `</${written}>` } }];
    else if (index >= 0) open = open.slice(0, index);
    wrappers = open.map(({ wrapper }) => wrapper);
  };
  const addSpace = (run: string): void => {
    flush();
    if (run.startsWith("\n")) {
      pieces.push({ ...toSolid(run, wrappers), cut: run.length > 1 ? 3 : 2, isSpace: true });
      return;
    }
    const isCode = open.some(({ name }) => name === "pre");
    pieces.push({ ...toSolid(run, wrappers), cut: 1, isSpace: !isCode });
  };
  for (const [whole, slash, name, space, entity] of html.matchAll(token)) {
    if (name !== undefined) {
      if (single.has(name.toLowerCase())) addSolid(whole);
      else addTag(whole, slash ?? "", name);
    } else if (space !== undefined) addSpace(space);
    else if (entity === undefined) word += whole;
    else if (decodeEntities(entity) === entity) addSolid(entity);
    else word += decodeEntities(entity);
  }
  flush();
  return pieces;
}

const token =
  /<(\/?)([a-z][a-z0-9-]*)(?:\s[^<>]*)?>|(\n+|[^\S\n]+)|(&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z]{2,8});)|[^<&\s]+|[<&]/gi;
/** What has no end. */
const single = new Set(["br", "hr", "img"]);

/** What a person reads in formatted HTML. */
export function toTextOfHtml(html: string): string {
  const withoutTags = html
    .replaceAll(/<br\s*\/?>\n?/gi, "\n")
    .replaceAll(/<\/?[a-z][a-z0-9-]*(?:\s[^<>]*)?>/gi, "");
  return decodeEntities(withoutTags);
}
