/** Characters of a text, each with the span of the original text it came from. */
export interface Characters {
  /** Code points. */
  readonly codes: Uint32Array;
  /** Where the original spelling starts and ends (exclusive), in UTF-16 units. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  length: number;
}

/** Escapes inside escapes are followed this deep; deeper nesting is not readable to a model either. */
const maxRounds = 4;

/**
 * Splits `text` into characters and resolves escapes: JSON and JavaScript (`\u003c`, `\u{3c}`, `\x3c`, `\[`), HTML
 * (`&lt;`, `&#60;`, `&#x3c;`, `&amp;lt;`) and URL (`%3C`), also one inside the other.
 */
export function decodeEscapes(text: string): Characters {
  const characters = toCharacters(text);
  if (!/[\\&%]/.test(text)) return characters;
  let rounds = 0;
  while (rounds < maxRounds && decodeRound(characters)) rounds += 1;
  return characters;
}

function toCharacters(text: string): Characters {
  const size = text.length;
  const codes = new Uint32Array(size);
  const starts = new Uint32Array(size);
  const ends = new Uint32Array(size);
  let length = 0;
  for (let index = 0; index < size;) {
    const code = text.codePointAt(index) ?? 0;
    codes[length] = code;
    starts[length] = index;
    index += code > 0xffff ? 2 : 1;
    ends[length] = index;
    length += 1;
  }
  return { codes, starts, ends, length };
}

/** Resolves one layer of escapes in place; false when there was none. */
function decodeRound(characters: Characters): boolean {
  const { codes, starts, ends, length } = characters;
  let write = 0;
  let decoded = false;
  for (let read = 0; read < length;) {
    const code = codes[read] ?? 0;
    let used = 1;
    let value = code;
    if (code === backslash || code === ampersand || code === percent) {
      const packed = decodeAt(codes, read, length);
      if (packed !== nothing) {
        used = Math.floor(packed / packing);
        value = packed % packing;
        decoded = true;
      }
    }
    codes[write] = value;
    starts[write] = starts[read] ?? 0;
    ends[write] = ends[read + used - 1] ?? 0;
    write += 1;
    read += used;
  }
  characters.length = write;
  return decoded;
}

const backslash = 0x5c;
const ampersand = 0x26;
const percent = 0x25;
const semicolon = 0x3b;

/** A decoder answers `used * packing + value`: how many characters the escape takes and what it means. */
const packing = 0x20_0000;
const nothing = -1;
const pack = (used: number, value: number): number => used * packing + value;

function decodeAt(codes: Uint32Array, at: number, length: number): number {
  if (codes[at] === backslash) return decodeBackslash(codes, at, length);
  if (codes[at] === ampersand) return decodeEntity(codes, at, length);
  const value = readHexadecimal(codes, at + 1, length, 2, 2);
  // Only printable ASCII: other bytes are halves of characters.
  return value >= 0x20 && value < 0x7f ? pack(3, value) : nothing;
}

function decodeBackslash(codes: Uint32Array, at: number, length: number): number {
  let next = at;
  // JSON inside JSON doubles the backslashes, so any number of them counts as one.
  while (next < length && codes[next] === backslash) next += 1;
  const run = next - at;
  const letter = next < length ? String.fromCodePoint(codes[next] ?? 0) : "";
  if (letter === "u" && codes[next + 1] === 0x7b) {
    let end = next + 2;
    while (end < length && end < next + 10 && hexadecimalDigit(codes[end] ?? 0) >= 0) end += 1;
    const value = readHexadecimal(codes, next + 2, length, 1, 8);
    if (codes[end] === 0x7d && value >= 0 && value <= 0x10_ffff) return pack(end + 1 - at, value);
  }
  const digits = letter === "u" ? 4 : letter === "U" ? 8 : letter === "x" ? 2 : 0;
  if (digits > 0) {
    const value = readHexadecimal(codes, next + 1, length, digits, digits);
    if (value >= 0 && value <= 0x10_ffff)
      return joinSurrogates(codes, at, next + 1 + digits, length, value);
  }
  if (letter === "n" || letter === "r") return pack(run + 1, 0x0a);
  if (letter === "t") return pack(run + 1, 0x20);
  // Markdown and JSON put a backslash before punctuation that stands for itself.
  if (/^[!-/:-@[-`{-~]$/.test(letter)) return pack(run + 1, codes[next] ?? 0);
  return run > 1 ? pack(run, backslash) : nothing;
}

/** `\ud835\udc1a` is one character. */
function joinSurrogates(
  codes: Uint32Array,
  at: number,
  end: number,
  length: number,
  high: number,
): number {
  if (high >= 0xd800 && high <= 0xdbff && codes[end] === backslash && codes[end + 1] === 0x75) {
    const low = readHexadecimal(codes, end + 2, length, 4, 4);
    if (low >= 0xdc00 && low <= 0xdfff) {
      return pack(end + 6 - at, 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
    }
  }
  return pack(end - at, high);
}

const entities: ReadonlyMap<string, number> = new Map(
  Object.entries({
    lt: "<",
    gt: ">",
    amp: "&",
    quot: '"',
    apos: "'",
    lsqb: "[",
    lbrack: "[",
    rsqb: "]",
    rbrack: "]",
    lcub: "{",
    lbrace: "{",
    rcub: "}",
    rbrace: "}",
    vert: "|",
    verbar: "|",
    verticalline: "|",
    lowbar: "_",
    underbar: "_",
    grave: "`",
    diacriticalgrave: "`",
    colon: ":",
    equals: "=",
    sol: "/",
    bsol: "\\",
    nbsp: " ",
    tab: " ",
    newline: "\n",
    shy: "\u00AD",
    zwnj: "\u200C",
    zwj: "\u200D",
    zerowidthspace: "\u200B",
    nobreak: "\u2060",
    lang: "<",
    rang: ">",
    lsaquo: "<",
    rsaquo: ">",
    laquo: "<",
    raquo: ">",
    period: ".",
    hyphen: "-",
    num: "#",
  }).map(([name, character]) => [name, character.codePointAt(0) ?? 0]),
);

/** HTML reads these also without their semicolon. */
const looseEntities = ["lt", "gt", "amp", "quot"];

const longestName = 20;
const longestNumber = 12;

function decodeEntity(codes: Uint32Array, at: number, length: number): number {
  let next = at + 1;
  // `&amp;amp;lt;`: every further layer of HTML adds one `amp;`.
  while (
    codes[next] === 0x61 &&
    codes[next + 1] === 0x6d &&
    codes[next + 2] === 0x70 &&
    codes[next + 3] === semicolon
  ) {
    next += 4;
  }
  if (next >= length) return next > at + 1 ? pack(length - at, ampersand) : nothing;
  if (codes[next] === 0x23) {
    const numeric = decodeNumber(codes, next + 1, length);
    if (numeric !== nothing) return pack(Math.floor(numeric / packing) - at, numeric % packing);
  } else {
    let name = "";
    while (
      name.length < longestName &&
      next + name.length < length &&
      isLetter(codes[next + name.length] ?? 0)
    ) {
      name += String.fromCodePoint(codes[next + name.length] ?? 0);
    }
    const value = entities.get(name.toLowerCase());
    if (value !== undefined && codes[next + name.length] === semicolon) {
      return pack(next + name.length + 1 - at, value);
    }
    const loose = looseEntities.find((entity) => name.toLowerCase().startsWith(entity));
    if (loose !== undefined) return pack(next + loose.length - at, entities.get(loose) ?? 0);
  }
  return next > at + 1 ? pack(next - at, ampersand) : nothing;
}

/** The number of `&#…;`, packed with where it ends. */
function decodeNumber(codes: Uint32Array, from: number, length: number): number {
  const isHexadecimal = codes[from] === 0x78 || codes[from] === 0x58;
  const first = isHexadecimal ? from + 1 : from;
  const base = isHexadecimal ? 16 : 10;
  let next = first;
  let value = 0;
  while (next < length && next < first + longestNumber) {
    const digit = hexadecimalDigit(codes[next] ?? 0);
    if (digit < 0 || digit >= base) break;
    value = value * base + digit;
    next += 1;
  }
  if (next === first || value > 0x10_ffff) return nothing;
  return pack(codes[next] === semicolon ? next + 1 : next, value);
}

function readHexadecimal(
  codes: Uint32Array,
  from: number,
  length: number,
  least: number,
  most: number,
): number {
  let value = 0;
  let digits = 0;
  while (digits < most && from + digits < length) {
    const digit = hexadecimalDigit(codes[from + digits] ?? 0);
    if (digit < 0) break;
    value = value * 16 + digit;
    digits += 1;
  }
  return digits >= least ? value : -1;
}

function hexadecimalDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function isLetter(code: number): boolean {
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x7a;
}
