import { foldText, type FoldedText } from "./fold-text.ts";
import { markerFamilies, type MarkerPhrase } from "./marker-families.ts";

/** One character of the original and what replaces it. */
interface Defusal {
  readonly start: number;
  readonly end: number;
  readonly by: string;
}

/**
 * Takes the teeth out of everything in `text` that could start a tool call, a role or an envelope for a model or its
 * parser, in any disguise `fold-text.ts` sees through: the one character each such sequence hangs on is replaced by a
 * visible harmless one. Nothing is removed, so nothing can recombine; all else stays byte for byte. Idempotent, linear,
 * never throws.
 *
 * Replacing cannot make a new marker: no replacement occurs in a marker, and where a marker allows anything in between
 * it allowed the replaced character too.
 */
export function neutralise(text: string): string {
  if (!mayHoldMarker(text)) return text;
  const folded = foldText(text);
  const defusals: Defusal[] = [...findBracketMarkers(folded), ...findPhrases(folded)];
  if (defusals.length === 0) return text;
  defusals.sort((one, other) => one.start - other.start);
  const parts: string[] = [];
  let position = 0;
  for (const { start, end, by } of defusals) {
    if (start < position) continue;
    parts.push(
      text.slice(position, start),
      by.replace("$&", () => text.slice(start, end)),
    );
    position = end;
  }
  parts.push(text.slice(position));
  return parts.join("");
}

/** Plain prose needs no second look: every marker hangs on one of these, or on a disguise of it. */
function mayHoldMarker(text: string): boolean {
  return /[<[:=_>`"|&\\%]|[^\0-\x7f]/.test(text);
}

const collect = (key: "tags" | "wrappers" | "tokens" | "brackets"): ReadonlySet<string> =>
  new Set(markerFamilies.flatMap((family) => family[key] ?? []));

const tags = collect("tags");
const wrappers = collect("wrappers");
const tokens = collect("tokens");
const brackets = collect("brackets");
const phrases: readonly MarkerPhrase[] = markerFamilies.flatMap((family) => family.phrases ?? []);

const longestName = 48;
const longestAttribute = 64;
const lessThan = 0x3c;
const openBracket = 0x5b;

function findBracketMarkers(folded: FoldedText): Defusal[] {
  const found: Defusal[] = [];
  const { text } = folded;
  const lastClose = text.lastIndexOf(">");
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    const isMarker =
      code === lessThan
        ? isTag(folded, index, lastClose) || isToken(folded, index)
        : code === openBracket && isBracket(text, index);
    if (isMarker) found.push(defuse(folded, index, "("));
  }
  return found;
}

/** `<name>`, `<namespace:name attribute=…>`, `</name>` for wrappers. */
function isTag({ text, gaps }: FoldedText, index: number, lastClose: number): boolean {
  const closes = text[index + 1] === "/";
  const from = index + (closes ? 2 : 1);
  const written = readName(text, from, false);
  if (written === "") return false;
  const name = written.slice(written.lastIndexOf(":") + 1).toLowerCase();
  if (!wrappers.has(name) && (closes || !tags.has(name))) return false;
  const after = from + written.length;
  const next = text[after];
  if (next === undefined || next === ">" || (next === "/" && text[after + 1] === ">")) return true;
  if (next !== " " && next !== "\n" && gaps[after] !== 1) return false;
  const rest = text.slice(after, after + longestAttribute);
  if (/^\s?[a-z_:][\w:.-]*=/i.test(rest)) return true;
  // `n < tool_calls and m > 3` is no tag.
  return gaps[from] === 0 && /^[\s\w"'{[]/.test(rest) && lastClose > after;
}

/** `<|name|>`, and the half-open forms `<|name>`, `<name|>`. */
function isToken(folded: FoldedText, index: number): boolean {
  const { text } = folded;
  let from = index + 1;
  while (text[from] === "|" && from < index + 4) from += 1;
  const bars = from - index - 1;
  if (text[from] === "/") from += 1;
  const name = readName(text, from, true);
  if (name === "") return false;
  let after = from + name.length;
  const closingBars = text[after] === "|" ? 1 : 0;
  after += closingBars;
  if (text[after] !== ">" || bars + closingBars === 0) return false;
  if (tokens.has(name.toLowerCase().replaceAll(/[_ \n]/g, ""))) return true;
  return (
    bars > 0 && closingBars > 0 && isTight(folded, index + 1, after + 1) && !/[ \n]/.test(name)
  );
}

/** `[name]` and `[/name]`. */
function isBracket(text: string, index: number): boolean {
  const from = text[index + 1] === "/" ? index + 2 : index + 1;
  const name = readName(text, from, false);
  return name !== "" && text[from + name.length] === "]" && brackets.has(name.toLowerCase());
}

function readName(text: string, from: number, withSpaces: boolean): string {
  let end = from;
  while (end < text.length && end < from + longestName) {
    const code = text.charCodeAt(end);
    const letter = code | 0x20;
    const isName =
      (letter >= 0x61 && letter <= 0x7a) ||
      (code >= 0x2d && code <= 0x3a && code !== 0x2f) ||
      code === 0x5f;
    if (!isName && !(withSpaces && (code === 0x20 || code === 0x0a))) break;
    end += 1;
  }
  return text.slice(from, end);
}

function findPhrases(folded: FoldedText): Defusal[] {
  const found: Defusal[] = [];
  const lowerCase = folded.text.toLowerCase();
  for (const { needs, pattern, by = "(", tight } of phrases) {
    if (!lowerCase.includes(needs)) continue;
    for (const match of folded.text.matchAll(pattern)) {
      const from = tight === "before" ? match.index : match.index + 1;
      const to = match.index + 1 + (tight === "inside" ? (match[1]?.length ?? 0) : 0);
      if (tight === undefined || isTight(folded, from, to))
        found.push(defuse(folded, match.index, by));
    }
  }
  return found;
}

/** Whether no white space was dropped from `from` up to `to`. */
function isTight({ gaps }: FoldedText, from: number, to: number): boolean {
  for (let index = from; index < to; index += 1) if (gaps[index] === 1) return false;
  return true;
}

function defuse({ starts, ends }: FoldedText, index: number, by: string): Defusal {
  return { start: starts[index] ?? 0, end: ends[index] ?? 0, by };
}
