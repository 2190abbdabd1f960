import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Log } from "../../base/log.ts";

/** What was typed at the prompt, kept for the next run in a file only its owner reads. */
export interface ConsoleHistory {
  /** Newest first. */
  readonly lines: readonly string[];
  /** Replaces the file's content soon; newest first. Failures are logged once and change nothing else. */
  readonly save: (lines: readonly string[]) => void;
  /** Resolves when everything is written. */
  readonly flush: () => Promise<void>;
}

export const maxHistoryLines = 1_000;
const longestLine = 4_096;

/** Without a file nothing is read or kept. An unreadable file is an empty history. */
export async function loadConsoleHistory(
  file: string | undefined,
  log: Log,
): Promise<ConsoleHistory> {
  let waiting: readonly string[] | undefined;
  let writing: Promise<void> | undefined;
  let hasFailed = false;

  const reportOnce = (error: unknown): void => {
    if (!hasFailed) log.warn({ err: error, file }, "the history of the console could not be kept");
    hasFailed = true;
  };

  const writeAll = async (path: string): Promise<void> => {
    while (waiting !== undefined) {
      const lines = waiting;
      waiting = undefined;
      const text = lines.toReversed().map((line) => `${line}\n`);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeFile(`${path}.new`, text.join(""), { mode: 0o600 });
      await rename(`${path}.new`, path);
    }
  };

  const start = (path: string): void => {
    writing ??= writeAll(path)
      .catch(reportOnce)
      .finally(() => {
        writing = undefined;
        if (waiting !== undefined) start(path);
      });
  };

  return {
    lines: file === undefined ? [] : await readHistory(file, reportOnce),
    save: (lines) => {
      if (file === undefined) return;
      waiting = lines.filter(isWorthKeeping).slice(0, maxHistoryLines);
      start(file);
    },
    flush: async () => {
      while (writing !== undefined) await writing;
    },
  };
}

function isWorthKeeping(line: string): boolean {
  return line !== "" && line.length <= longestLine && !/[\r\n]/.test(line);
}

async function readHistory(
  file: string,
  report: (error: unknown) => void,
): Promise<readonly string[]> {
  try {
    const text = await readFile(file, "utf8");
    await chmod(file, 0o600);
    return text.split("\n").filter(isWorthKeeping).reverse().slice(0, maxHistoryLines);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") report(error);
    return [];
  }
}
