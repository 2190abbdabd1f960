import type { Readable } from "node:stream";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { toPrintableLine } from "../base/printable.ts";
import { readLines } from "./read-lines.ts";

export interface LogLinesOptions {
  readonly stream: Readable;
  readonly log: Log;
  readonly clock: Clock;
  /** Told of each line that is not empty; one it takes, by answering `true`, is not logged. */
  readonly take?: ((text: string) => boolean) | undefined;
}

/** What a child wrote. */
export interface LoggedLines {
  /** The last line that names an error, since a stack or a version may follow it; else the last that was not empty. */
  readonly lastWords: () => string;
}

const maxLineBytes = 8_192;
const maxLinesPerSecond = 200;
/** As programs of the usual languages end; lines of a stack begin with blanks. */
const namesError = /^\S.*(?:error|exception|panicked)\b|^(?:\w*error|panic|fatal)\b/i;

/**
 * Logs what a child process writes, line by line, for as long as it does. A line is cut at 8 KiB, and beyond 200 lines
 * a second lines are counted instead of logged; the child is never held up and nothing is kept.
 */
export function logLines({ stream, log, clock, take }: LogLinesOptions): LoggedLines {
  let secondBeganAtMs = clock.now();
  let linesThisSecond = 0;
  let dropped = 0;
  let last = "";
  let lastError = "";

  const reportDropped = (): void => {
    if (dropped > 0) log.warn({ lines: dropped }, "The plugin wrote too much; lines were left out");
    dropped = 0;
  };

  const onLine = (line: Buffer): void => {
    if (clock.now() - secondBeganAtMs >= 1_000) {
      secondBeganAtMs = clock.now();
      linesThisSecond = 0;
      reportDropped();
    }
    linesThisSecond += 1;
    if (linesThisSecond > maxLinesPerSecond) {
      dropped += 1;
      return;
    }
    const text = toPrintableLine(line.toString("utf8"));
    if (text === "" || take?.(text) === true) return;
    last = text;
    if (namesError.test(text)) lastError = text;
    log.info(text);
  };

  readLines({ stream, maxLineBytes, onLine, onEnd: reportDropped });
  return { lastWords: () => lastError || last };
}
