/** A code block that is open: the line that opened it, and the shortest line that closes it. */
interface Fence {
  readonly opener: string;
  readonly marker: string;
}

/**
 * A reply in parts of at most `maxLength` UTF-16 units (0 = one part), for platforms that take no longer message. Cut
 * between paragraphs, else lines, else words, else characters as people see them; a code block that is cut is closed
 * and opened again. Blank parts are left out.
 */
export function splitReply(text: string, maxLength: number): readonly string[] {
  if (maxLength <= 0 || text.length <= maxLength) return [text];
  const parts: string[] = [];
  let rest = text;
  let fence: Fence | undefined;
  while (rest !== "") {
    const opening = fence === undefined ? "" : `${fence.opener}\n`;
    const cut = cutPart(rest, maxLength - opening.length, fence, maxLength);
    const part = rest.slice(0, cut.end).trimEnd();
    if (part.trim() !== "") parts.push(opening + part + cut.closing);
    rest = rest.slice(cut.next);
    fence = cut.fence;
  }
  return parts;
}

interface PartCut {
  /** Where the part ends. */
  readonly end: number;
  /** Where the next part begins; the white space between is dropped. */
  readonly next: number;
  /** What closes the code block the cut goes through. */
  readonly closing: string;
  /** The code block the next part has to open again. */
  readonly fence: Fence | undefined;
}

function cutPart(text: string, room: number, fence: Fence | undefined, maxLength: number): PartCut {
  if (text.length <= room)
    return { end: text.length, next: text.length, closing: "", fence: undefined };
  let cut = findCut(text, room);
  for (;;) {
    const open = findOpenFence(text.slice(0, cut.end), fence);
    if (open === undefined) return { ...cut, closing: "", fence: undefined };
    const closing = `\n${open.marker}`;
    const overhead = open.opener.length + 1 + closing.length;
    // A limit that fences would eat up is better spent on text.
    if (overhead > maxLength / 2) return { ...cut, closing: "", fence: undefined };
    if (cut.end + closing.length <= room) return { ...cut, closing, fence: open };
    cut = findCut(text, Math.min(cut.end - 1, room - closing.length));
  }
}

function findCut(text: string, room: number): { readonly end: number; readonly next: number } {
  // A separator right behind the part costs no room.
  const reach = text.slice(0, room + 1);
  const least = Math.floor(room / 3);
  for (const separator of ["\n\n", "\n"]) {
    const end = reach.lastIndexOf(separator);
    if (end > least) return { end, next: skip(text, end, /\n+/y) };
  }
  const word = /^.*\S(?=\s)/s.exec(reach)?.[0].length ?? 0;
  if (word > 0) return { end: word, next: skip(text, word, /\s+/y) };
  const end = findCharacterEnd(text, room);
  return { end, next: end };
}

function skip(text: string, from: number, pattern: RegExp): number {
  pattern.lastIndex = from;
  return from + (pattern.exec(text)?.[0].length ?? 0);
}

/** How far the combining marks of one character may reach beyond the cut before it is cut through. */
const longestCharacter = 64;

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** The end of the last whole character within `room`; at least one code point, also when it does not fit. */
function findCharacterEnd(text: string, room: number): number {
  let end = 0;
  for (const { index } of segmenter.segment(text.slice(0, room + longestCharacter))) {
    if (index > room) break;
    end = index;
  }
  if (end > 0) return end;
  const isInsidePair = (text.codePointAt(room - 1) ?? 0) > 0xffff;
  return Math.max(isInsidePair ? room - 1 : room, (text.codePointAt(0) ?? 0) > 0xffff ? 2 : 1);
}

/** The code block that is open after `text`, given the one that was open before it. */
function findOpenFence(text: string, before: Fence | undefined): Fence | undefined {
  let open = before;
  for (const line of text.split("\n")) {
    const match = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line);
    const [, marker = "", info = ""] = match ?? [];
    if (match === null) continue;
    if (open === undefined) {
      const isInline = marker.startsWith("`") && info.includes("`");
      if (!isInline) open = { opener: line.trimEnd(), marker };
    } else if (marker.startsWith(open.marker) && info.trim() === "") {
      open = undefined;
    }
  }
  return open;
}
