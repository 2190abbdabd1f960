import { PassThrough } from "node:stream";
import type { ConsoleTerminal } from "../console/console-channel.ts";

/** Real pipes in place of the streams of a process. */
export interface FakeTerminal extends ConsoleTerminal {
  readonly input: PassThrough;
  readonly output: PassThrough;
  /** All that was written so far. */
  readonly written: () => string;
  readonly noticed: () => string;
  /** What a person sees now, line by line: the screen after all cursor movements. */
  readonly screen: () => readonly string[];
}

export function createFakeTerminal(settings: Partial<ConsoleTerminal> = {}): FakeTerminal {
  const input = new PassThrough();
  const output = new PassThrough();
  const notices = new PassThrough();
  let written = "";
  let noticed = "";
  output.setEncoding("utf8");
  output.on("data", (text: string) => {
    written += text;
  });
  notices.setEncoding("utf8");
  notices.on("data", (text: string) => {
    noticed += text;
  });
  return {
    isTerminal: false,
    useColors: false,
    columns: () => 80,
    title: "OpenTalon test",
    ...settings,
    input,
    output,
    notices,
    written: () => written,
    noticed: () => noticed,
    screen: () => toScreen(written),
  };
}

/** Just enough of a terminal: line feed, carriage return, and the sequences that move or erase. Nothing wraps. */
function toScreen(text: string): readonly string[] {
  const lines: string[] = [""];
  let row = 0;
  let column = 0;
  const put = (character: string): void => {
    const line = (lines[row] ?? "").padEnd(column);
    lines[row] = line.slice(0, column) + character + line.slice(column + 1);
    column += 1;
  };
  for (const [token, amount, action] of text.matchAll(/\u001b\[([\d;]*)([A-Za-z])|[^]/g)) {
    const count = Number(amount === "" ? 1 : amount);
    if (token === "\n") {
      row += 1;
      column = 0;
    } else if (token === "\r") column = 0;
    else if (action === undefined) put(token);
    else if (action === "A") row = Math.max(0, row - count);
    else if (action === "G") column = count - 1;
    else if (action === "C") column += count;
    else if (action === "D") column = Math.max(0, column - count);
    else if (action === "K") {
      lines[row] = amount === "2" ? "" : (lines[row] ?? "").slice(0, column);
    } else if (action === "J") {
      lines[row] = (lines[row] ?? "").slice(0, column);
      lines.length = row + 1;
    }
    while (lines.length <= row) lines.push("");
  }
  return lines;
}
