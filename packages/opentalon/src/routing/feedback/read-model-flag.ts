export interface ModelFlag {
  /** The message without the flag. */
  readonly text: string;
  /** The name after the flag; empty when there is none. */
  readonly model: string;
}

/** Phones make one dash of two. */
const atStart = /^\s*(?:--|—|–)model[ =]([^\s]{1,200})(?:\s+|$)/;
/** At the end, quotes, brackets and the end of a sentence tell a text about the flag from the flag. */
const atEnd = /(?:^|\s)--model[ =]([^\s`'"<>(){}[\]|,;?!]{0,199}[^\s`'"<>(){}[\]|,;?!.:])\s*$/;
/** The flag and a name fit into this. */
const tailCharacters = 240;

/** Takes `--model <name>` from the beginning or the end of a message; anywhere else it is text like any other. */
export function readModelFlag(message: string): ModelFlag {
  const start = atStart.exec(message);
  if (start !== null) return { text: message.slice(start[0].length), model: start[1] ?? "" };
  const tail = message.slice(-tailCharacters);
  const end = atEnd.exec(tail);
  if (end === null) return { text: message, model: "" };
  const cut = message.length - tail.length + end.index;
  return { text: message.slice(0, cut), model: end[1] ?? "" };
}
