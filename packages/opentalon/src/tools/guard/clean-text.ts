/**
 * Text without what only a terminal or a broken encoder puts there: ANSI escape sequences, control characters, halves
 * of characters (they become U+FFFD), and the invisible Unicode tags that spell text only a model reads. Line feeds,
 * tabs and `\r\n` stay; a carriage return alone becomes a line feed. Linear; ordinary text comes back as it is.
 */
export function cleanText(text: string): string {
  return text
    .replaceAll(ansiSequence, "")
    .replaceAll(/\r(?!\n)/g, "\n")
    .replaceAll(controlCharacter, "")
    .replaceAll(tagCharacters, (run: string, at: number, whole: string) =>
      isFlag(run, at, whole) ? run : "",
    )
    .toWellFormed();
}

// CSI (`ESC [ … letter`), then strings that a terminator ends (OSC, DCS, …), then short sequences, then the rest of ESC.
const ansiSequence =
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)|\x1b[ -/]*[0-Z\\-~]?/g;

const controlCharacter = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g;

const tagCharacters = /(?:[\u{E0000}-\u{E007F}])+/gu;

/** The flags of England, Scotland and the like are a black flag and up to seven tags with an end. */
function isFlag(run: string, at: number, whole: string): boolean {
  return (
    whole.slice(at - 2, at) === "\u{1F3F4}" &&
    Array.from(run).length <= 7 &&
    run.endsWith("\u{E007F}")
  );
}
