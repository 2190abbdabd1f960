import type { Writable } from "node:stream";
import type { Clock } from "../../base/clock.ts";
import { createTerminalFilter, toTerminalLine } from "./terminal-filter.ts";

/** What a person sees: text that grows, notes on lines of their own, and one line that says what is going on. */
export interface TerminalScreen {
  /** Text of others, as it arrives. */
  readonly write: (text: string) => void;
  /** Whatever comes next starts on a line of its own. */
  readonly startLine: () => void;
  /** Words of the program itself. */
  readonly note: (text: string) => void;
  /** Shows on a line of its own what is going on; empty erases the line. */
  readonly setActivity: (label: string) => void;
  /** The terminal takes nothing at the moment; what is written waits in memory. */
  readonly isClogged: () => boolean;
  readonly dispose: () => void;
}

export interface TerminalScreenOptions {
  readonly output: Writable;
  readonly columns: () => number;
  readonly useColors: boolean;
  readonly clock: Clock;
  /** Called before anything is written: the prompt gets out of the way. */
  readonly beforeWrite: () => void;
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const narrowest = 10;
const frameMs = 100;
const maxWaitingBytes = 1_048_576;

export function createTerminalScreen(options: TerminalScreenOptions): TerminalScreen {
  const { output, columns, useColors, clock, beforeWrite } = options;
  let filter = createTerminalFilter();
  let isLineStart = true;
  let activity = "";
  let frame = 0;
  let isActivityShown = false;
  let cancelFrame = (): void => {};

  const print = (text: string): void => {
    beforeWrite();
    if (isActivityShown) output.write(eraseLine);
    isActivityShown = false;
    output.write(text);
    isLineStart = text.endsWith("\n");
  };

  const startLine = (): void => {
    filter = createTerminalFilter();
    if (!isLineStart) print("\n");
  };

  const drawActivity = (): void => {
    if (activity === "") return;
    if (output.writableLength === 0) {
      startLine();
      beforeWrite();
      const line = `${frames[frame % frames.length] ?? ""} ${activity}`.slice(
        0,
        Math.max(narrowest, columns()) - 1,
      );
      output.write(`${eraseLine}${dim(line, useColors)}`);
      isActivityShown = true;
      frame += 1;
    }
    cancelFrame = clock.after(frameMs, drawActivity);
  };

  const setActivity = (label: string): void => {
    activity = toTerminalLine(label);
    cancelFrame();
    if (activity !== "") return drawActivity();
    if (isActivityShown) output.write(eraseLine);
    isActivityShown = false;
  };

  return {
    write: (text) => {
      const safe = filter(text);
      if (safe !== "") print(safe);
    },
    startLine,
    note: (text) => {
      startLine();
      print(`${dim(toTerminalLine(text), useColors)}\n`);
    },
    setActivity,
    isClogged: () => output.writableLength > maxWaitingBytes,
    dispose: () => setActivity(""),
  };
}

const eraseLine = "\r\u001b[2K";

function dim(text: string, useColors: boolean): string {
  return useColors ? `\u001b[2m${text}\u001b[22m` : text;
}
