/**
 * Makes a filter for text of others on its way to a terminal: escape sequences and control characters go, so that no
 * reply can move the cursor, change the clipboard or the title, or type for the person. Line feeds and tabs stay. It
 * remembers where it is, so that a sequence or a character cut in two by streaming is recognised.
 */
export function createTerminalFilter(): (text: string) => string {
  let state: State = "text";
  let length = 0;
  let heldBack = "";

  /** True when the character belongs to the visible text. */
  const isVisible = (code: number): boolean => {
    length += 1;
    switch (state) {
      case "text":
        break;
      case "escape":
        if (code >= 0x20 && code <= 0x2f) return false;
        state = afterEscape[code] ?? "text";
        length = 0;
        if (code >= 0x30 && code <= 0x7e) return false;
        break;
      case "control-sequence":
        if (code >= 0x20 && code <= 0x3f && length < longestSequence) return false;
        state = "text";
        if (code >= 0x40 && code <= 0x7e) return false;
        break;
      case "string":
        // A line feed ends it too: a string that is never closed must not swallow the rest of the reply.
        if (code === bell || code === stringEnd) state = "text";
        else if (code === escape) state = "escape";
        else if (code === lineFeed || length > longestString) state = "text";
        if (state !== "text" || code === bell || code === stringEnd) return false;
        break;
    }
    if (code === escape) state = "escape";
    else if (code === 0x9b) state = "control-sequence";
    else if (stringStarts.has(code)) state = "string";
    if (state !== "text") {
      length = 0;
      return false;
    }
    return !isControl(code);
  };

  return (text) => {
    let joined = heldBack + text;
    heldBack = "";
    if (/[\ud800-\udbff]$/.test(joined)) {
      heldBack = joined.slice(-1);
      joined = joined.slice(0, -1);
    }
    joined = joined.toWellFormed();
    if (state === "text" && !suspicious.test(joined)) return joined;
    let visible = "";
    for (const character of joined) {
      if (isVisible(character.codePointAt(0) ?? 0)) visible += character;
    }
    return visible;
  };
}

/** `text` complete in itself, on one line. */
export function toTerminalLine(text: string): string {
  return createTerminalFilter()(text).replaceAll(/\s+/g, " ").trim();
}

type State = "text" | "escape" | "control-sequence" | "string";

const bell = 0x07;
const lineFeed = 0x0a;
const escape = 0x1b;
const stringEnd = 0x9c;
const longestSequence = 64;
const longestString = 4_096;

/** What follows ESC: `[` opens a control sequence, `P X ] ^ _` a string. */
const afterEscape: Readonly<Record<number, State>> = {
  0x5b: "control-sequence",
  0x50: "string",
  0x58: "string",
  0x5d: "string",
  0x5e: "string",
  0x5f: "string",
};

/** The same openers as single characters. */
const stringStarts = new Set([0x90, 0x98, 0x9d, 0x9e, 0x9f]);

/** Controls, and the marks that show text in another order than it is written. */
const suspicious = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

function isControl(code: number): boolean {
  if (code === 0x09 || code === lineFeed) return false;
  const isOverride = code >= 0x202a && code <= 0x202e;
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) || isOverride;
}
