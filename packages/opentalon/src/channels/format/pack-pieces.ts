import type { Piece, Wrapper } from "./pieces.ts";

/** A message in the making. */
interface Part {
  readonly text: string;
  readonly open: readonly Wrapper[];
}

interface Cut {
  readonly quality: number;
  readonly part: Part;
  /** The first piece of the next message. */
  readonly next: number;
}

const empty: Part = { text: "", open: [] };

/**
 * The pieces as messages of at most `maxLength` UTF-16 units (0 = one message), each whole in itself: what is open where a
 * message ends is closed there and opened again in the next one. Cut between paragraphs, else lines, else words, else
 * characters as people see them.
 */
export function packPieces(given: readonly Piece[], maxLength: number): readonly string[] {
  const limit = maxLength > 0 ? maxLength : Number.POSITIVE_INFINITY;
  const pieces = [...given];
  const parts: string[] = [];
  let part = empty;
  let cuts: Cut[] = [];
  const finish = (done: Part): void => {
    const text = (done.text.trimEnd() + closeAll(done.open)).trimEnd();
    if (text.trim() !== "") parts.push(text);
    part = empty;
    cuts = [];
  };

  for (let index = 0; index < pieces.length;) {
    const piece = pieces[index];
    if (piece === undefined) break;
    if (part === empty && piece.isSpace) {
      index += 1;
      continue;
    }
    if (piece.cut > 0 && part !== empty) {
      cuts.push({ quality: piece.cut, part, next: piece.isSpace ? index + 1 : index });
    }
    const longer = append(part, piece);
    const isFitting = longer.text.length + closeAll(longer.open).length <= limit;
    if (isFitting) {
      part = longer;
      index += 1;
      continue;
    }
    const best = part === empty ? undefined : findBest(cuts, limit);
    if (best !== undefined) {
      index = best.next;
      finish(best.part);
      continue;
    }
    const { head, rest } = cutThrough(piece, part, limit);
    if (head !== undefined) part = append(part, head);
    pieces.splice(index, 1, ...rest);
    finish(part);
  }
  finish(part);
  return parts;
}

/** The last good place: a paragraph or a line only if the message does not become too short by it. */
function findBest(cuts: readonly Cut[], limit: number): Cut | undefined {
  const fitting = cuts.filter(
    ({ part }) => part.text.length + closeAll(part.open).length <= limit && part.text.trim() !== "",
  );
  const long = fitting.filter(({ part }) => part.text.length > limit / 3);
  return (
    long.findLast(({ quality }) => quality === 3) ??
    long.findLast(({ quality }) => quality === 2) ??
    fitting.at(-1)
  );
}

/**
 * A piece that fits nowhere, cut between characters: the first part fits behind what is there, or there is none. What is
 * around it is left out when it alone is too long.
 */
function cutThrough(piece: Piece, part: Part, limit: number): Halves {
  const characters = [...segmenter.segment(piece.text)].map(({ segment }) => segment);
  const fits = (count: number): boolean => {
    const longer = append(part, { ...piece, text: characters.slice(0, count).join("") });
    return longer.text.length + closeAll(longer.open).length <= limit;
  };
  const count = findLastFitting(characters.length, fits);
  if (count > 0) return divide(piece, characters, count);
  if (part !== empty) return { head: undefined, rest: [piece] };
  if (piece.wrappers.length > 0) return { head: undefined, rest: [{ ...piece, wrappers: [] }] };
  // A character that does not fit by itself goes by the parts it is made of.
  const [first = ""] = characters;
  const points = Array.from(first);
  if (points.length === 1) return divide(piece, characters, 1);
  const fitting = Math.max(1, Math.min(points.length - 1, limit));
  return divide(piece, [...points, ...characters.slice(1)], fitting);
}

interface Halves {
  readonly head: Piece | undefined;
  readonly rest: readonly Piece[];
}

function divide(piece: Piece, characters: readonly string[], count: number): Halves {
  const rest = characters.slice(count).join("");
  const head = { ...piece, text: characters.slice(0, count).join("") };
  return { head, rest: rest === "" ? [] : [{ ...piece, text: rest }] };
}

/** The greatest count that fits, 0 when none does; longer texts never fit where shorter ones do not. */
function findLastFitting(most: number, fits: (count: number) => boolean): number {
  let low = 0;
  let high = most;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

function append({ text, open }: Part, { text: added, wrappers, escape }: Piece): Part {
  let shared = 0;
  while (shared < open.length && open[shared] === wrappers[shared]) shared += 1;
  const closing = closeAll(open.slice(shared));
  const opening = wrappers
    .slice(shared)
    .map((wrapper) => wrapper.open)
    .join("");
  const prefix = wrappers.map(({ linePrefix = "" }) => linePrefix).join("");
  const escaped = escape(added);
  const written = prefix === "" ? escaped : escaped.replaceAll("\n", `\n${prefix}`);
  return { text: text + closing + opening + written, open: wrappers };
}

function closeAll(open: readonly Wrapper[]): string {
  return open
    .map(({ close }) => close)
    .toReversed()
    .join("");
}
