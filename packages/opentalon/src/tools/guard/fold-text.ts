import { confusables } from "./confusables.ts";
import { decodeEscapes } from "./decode-escapes.ts";

/** A text as a model is likely to read it, with the way back to the original. */
export interface FoldedText {
  /**
   * ASCII only: compatibility forms and look-alikes folded, escapes resolved, invisible characters gone, anything else
   * shown as U+0080. White space is dropped next to the punctuation of markers, and otherwise one space, or one newline
   * if it had any.
   * Case is kept.
   */
  readonly text: string;
  /** By index of `text`: the span of the original it stands for. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** By index of `text`: 1 when white space was dropped right before it. */
  readonly gaps: Uint8Array;
}

/** One character never becomes more than this many. */
const longestFold = 4;
const otherCharacter = "\u0080";

/** Linear in the length of `original`; never throws. */
export function foldText(original: string): FoldedText {
  const characters = decodeEscapes(original);
  const fold = createFold();
  const capacity = isAscii(original) ? characters.length : characters.length * longestFold;
  const bytes = new Uint8Array(capacity);
  const starts = new Uint32Array(capacity);
  const ends = new Uint32Array(capacity);
  const gaps = new Uint8Array(capacity);
  let length = 0;
  let space = 0;
  let spaceStart = 0;
  let spaceEnd = 0;
  const add = (byte: number, start: number, end: number, gap: number): void => {
    bytes[length] = byte;
    starts[length] = start;
    ends[length] = end;
    gaps[length] = gap;
    length += 1;
  };
  for (let index = 0; index < characters.length; index += 1) {
    const code = characters.codes[index] ?? 0;
    const start = characters.starts[index] ?? 0;
    const end = characters.ends[index] ?? 0;
    const folded = code < 0x80 ? 0 : fold(code);
    const size = folded === 0 ? 1 : folded.length;
    for (let part = 0; part < size; part += 1) {
      const byte = folded === 0 ? code : folded.charCodeAt(part);
      if (isSpace(byte)) {
        if (space === 0) spaceStart = start;
        space = byte === 0x0a || byte === 0x0d || space === 0x0a ? 0x0a : 0x20;
        spaceEnd = end;
      } else if (byte >= 0x20 && byte !== 0x7f) {
        if (space !== 0 && length > 0 && isWord(byte) && isWord(bytes[length - 1] ?? 0)) {
          add(space, spaceStart, spaceEnd, 0);
          space = 0;
        }
        add(byte, start, end, space === 0 ? 0 : 1);
        space = 0;
      }
    }
  }
  return { text: Buffer.from(bytes.buffer, 0, length).toString("latin1"), starts, ends, gaps };
}

function isAscii(text: string): boolean {
  return /^[\0-\x7f]*$/.test(text);
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** What markers are punctuated with; white space around it carries no meaning: `[ tool _call ]` is `[tool_call]`. */
const markerPunctuation = new Set(Buffer.from('<>[]{}()|/_:=",`'));

function isWord(byte: number): boolean {
  return !markerPunctuation.has(byte);
}

/** Folds code points beyond ASCII and remembers the answers. */
function createFold(): (code: number) => string {
  const known = new Map<number, string>();
  return (code) => {
    const alike = confusables.get(code);
    if (alike !== undefined) return alike;
    // Han and Hangul fold to nothing of interest and are most of what such texts consist of.
    if (
      (code >= 0x3400 && code <= 0x9fff) ||
      (code >= 0xac00 && code <= 0xd7a3) ||
      code >= 0x2_0000
    ) {
      return code >= 0xe_0000 && code <= 0xe_0fff ? "" : otherCharacter;
    }
    let folded = known.get(code);
    if (folded === undefined) {
      folded = foldCodePoint(code);
      known.set(code, folded);
    }
    return folded;
  };
}

function foldCodePoint(code: number): string {
  const character = String.fromCodePoint(code);
  if (/^[\p{Cc}\p{Cf}\p{M}\p{Default_Ignorable_Code_Point}]$/u.test(character)) return "";
  if (/^[\p{Z}\u2800]$/u.test(character)) return /[\u2028\u2029]/.test(character) ? "\n" : " ";
  let folded = "";
  for (const part of character.normalize("NFKD")) {
    const partCode = part.codePointAt(0) ?? 0;
    if (partCode < 0x80) folded += part;
    else if (!/^\p{M}$/u.test(part)) folded += confusables.get(partCode) ?? otherCharacter;
  }
  return folded.length > longestFold ? otherCharacter : folded;
}
