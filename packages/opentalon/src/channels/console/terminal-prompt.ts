import { clearScreenDown, createInterface, cursorTo, moveCursor } from "node:readline";
import { type Readable, Writable } from "node:stream";
import { maxHistoryLines } from "./console-history.ts";

/** The line a person types on, with editing and history. It can be out of sight while typing goes on. */
export interface TerminalPrompt {
  readonly show: (prompt: string) => void;
  /** Takes it off the screen; what was typed stays and is seen again with the next `show`. */
  readonly hide: () => void;
  /** Stops reading. */
  readonly close: () => void;
}

export interface TerminalPromptOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly columns: () => number;
  /** Newest first. */
  readonly history: readonly string[];
  /** UTF-16 units; a longer line is thrown away as soon as it is too long. */
  readonly maxLineLength: number;
  /** A line was entered; the prompt is hidden from then on. `wasSeen`: the person saw it while typing. */
  readonly onLine: (text: string, wasSeen: boolean) => void;
  readonly onTooLong: () => void;
  /** All lines to remember, newest first. */
  readonly onHistory: (lines: readonly string[]) => void;
  /** Ctrl+C; `hasText`: there was a visible line, which is now empty. */
  readonly onInterrupt: (hasText: boolean) => void;
  /** Ctrl+D, or the terminal is gone. Not called after `close`. */
  readonly onEnd: () => void;
}

export function createTerminalPrompt(options: TerminalPromptOptions): TerminalPrompt {
  const { input, output, columns, history, maxLineLength } = options;
  let isVisible = false;
  let isClosed = false;

  // The editor draws on this; while it is hidden, its drawing goes nowhere.
  const canvas = new Writable({
    decodeStrings: false,
    write: (chunk: string | Buffer, _encoding, done) => {
      if (isVisible) output.write(chunk);
      done();
    },
  });
  Object.defineProperty(canvas, "columns", { get: columns });
  const onResize = (): boolean => canvas.emit("resize");
  output.on("resize", onResize);

  const editor = createInterface({
    input,
    output: canvas,
    terminal: true,
    history: [...history],
    historySize: maxHistoryLines,
    removeHistoryDuplicates: true,
    crlfDelay: Number.POSITIVE_INFINITY,
  });
  const clearLine = (): void => {
    editor.write(null, { ctrl: true, name: "e" });
    editor.write(null, { ctrl: true, name: "u" });
  };
  const hide = (): void => {
    if (!isVisible) return;
    const { rows } = editor.getCursorPos();
    moveCursor(output, 0, -rows);
    cursorTo(output, 0);
    clearScreenDown(output);
    isVisible = false;
    // The editor moves up that far before it draws again; by then something else stands there.
    (editor as { prevRows?: number }).prevRows = 0;
  };

  editor.on("line", (text) => {
    const wasSeen = isVisible;
    isVisible = false;
    options.onLine(text, wasSeen);
  });
  editor.on("history", options.onHistory);
  editor.on("SIGINT", () => {
    const hasText = isVisible && editor.line !== "";
    if (hasText) clearLine();
    options.onInterrupt(hasText);
  });
  const onKey = (): void => {
    if (editor.line.length <= maxLineLength) return;
    clearLine();
    options.onTooLong();
  };
  input.on("keypress", onKey);
  const letGo = (): void => {
    hide();
    isClosed = true;
    output.off("resize", onResize);
    input.off("keypress", onKey);
  };
  editor.on("close", () => {
    if (isClosed) return;
    letGo();
    options.onEnd();
  });

  return {
    show: (prompt) => {
      if (isClosed) return;
      isVisible = true;
      editor.setPrompt(prompt);
      editor.prompt(true);
    },
    hide,
    close: () => {
      if (isClosed) return;
      letGo();
      editor.close();
    },
  };
}
