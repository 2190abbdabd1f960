/** What stands around text and is closed and opened again where a message is cut: `<b>` and `</b>`, `*` and `*`. */
export interface Wrapper {
  readonly open: string;
  readonly close: string;
  /** Stands at the beginning of every further line inside of it. */
  readonly linePrefix?: string | undefined;
  /** Ends with the line: it is closed before a line break and opened again behind it. */
  readonly isInline?: boolean | undefined;
}

/** A bit of a message that is never cut through, unless it alone is longer than a message may be. */
export interface Piece {
  /** As people read it. */
  readonly text: string;
  /** Outermost first. */
  readonly wrappers: readonly Wrapper[];
  /** `text` as the platform wants it. */
  readonly escape: (text: string) => string;
  /** How good a place it is to cut at: 0 none, 1 between words, 2 between lines, 3 between paragraphs. */
  readonly cut: 0 | 1 | 2 | 3;
  /** White space, which is left out where a message is cut. */
  readonly isSpace: boolean;
}

export const same = (text: string): string => text;

/** Words and the white space between them; line breaks stand outside of what ends with a line. */
export function toPieces(
  text: string,
  wrappers: readonly Wrapper[],
  escape: (text: string) => string = same,
): readonly Piece[] {
  return (text.match(/\n+|[^\S\n]+|\S+/g) ?? []).map((part) => {
    if (part.startsWith("\n")) return toBreak(part, wrappers);
    const isSpace = part.trim() === "";
    return { text: part, wrappers, escape, cut: isSpace ? 1 : 0, isSpace };
  });
}

export function toBreak(text: string, wrappers: readonly Wrapper[]): Piece {
  return {
    text,
    wrappers: wrappers.filter(({ isInline }) => isInline !== true),
    escape: same,
    cut: text.length > 1 ? 3 : 2,
    isSpace: true,
  };
}

/** Lines of code: white space at their beginnings counts. */
export function toCodePieces(
  code: string,
  wrappers: readonly Wrapper[],
  escape: (text: string) => string,
): readonly Piece[] {
  return (code.match(/\n|[^\S\n]*\S+|[^\S\n]+/g) ?? []).map((part) =>
    part === "\n"
      ? { text: part, wrappers, escape: same, cut: 2, isSpace: true }
      : { text: part, wrappers, escape, cut: 1, isSpace: false },
  );
}

/** Written as it stands, and never cut. */
export function toSolid(text: string, wrappers: readonly Wrapper[]): Piece {
  return { text, wrappers, escape: same, cut: 0, isSpace: false };
}
