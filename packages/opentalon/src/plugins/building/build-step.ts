import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { SourceError } from "../../base/errors.ts";
import { toPrintableLine } from "../../base/printable.ts";
import { redactSecrets } from "../../base/secret.ts";
import { describeEnd, startChildProcess } from "../child-process.ts";
import { readLines } from "../read-lines.ts";

/** One step of a build: a program and its arguments, run in the folder of what is built. */
export interface BuildStep {
  readonly command: readonly string[];
  /** Gets the lines of standard output, which are not shown then. */
  readonly onOutput?: ((line: string) => void) | undefined;
}

/**
 * Rejects with SourceError SOURCE_TOOL_MISSING when there is no such program, SOURCE_BUILD_FAILED with its last lines when
 * it fails, and with the reason of the signal when that aborts.
 */
export type RunStep = (step: BuildStep) => Promise<void>;

export interface StepRunnerOptions {
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told what is run and what it writes, at most 200 lines a second. */
  readonly onLine: (line: string) => void;
  /** Told the process group of each step, and when it has ended. */
  readonly onGroup?:
    | { readonly begin: (groupId: number) => void; readonly end: (groupId: number) => void }
    | undefined;
}

const keptLines = 20;
const maxShownLength = 400;
const maxLinesPerSecond = 200;
/** Lines of standard output that somebody reads may be long; they are JSON. */
const maxOutputLineBytes = 1_048_576;
const maxLineBytes = 8_192;
/** More than any build says that is not running in circles. */
const maxOutputBytes = 268_435_456;

/** What to install when a program is missing. */
const origins: Readonly<Record<string, string>> = {
  make: "GNU make, from your system's packages",
  go: "Go, from https://go.dev/dl/",
  npm: "npm, which comes with Node.js from https://nodejs.org/",
  python3: "Python 3 with venv, from your system's packages or https://www.python.org/",
  cargo: "Rust, from https://rustup.rs/",
};

export function createStepRunner(options: StepRunnerOptions): RunStep {
  const { folder, environment, clock, signal, onLine, onGroup } = options;
  return async ({ command, onOutput }) => {
    signal.throwIfAborted();
    const [program = ""] = command;
    if (!program.includes("/") && !isOnPath(program, environment["PATH"] ?? "")) {
      throw new SourceError(
        "SOURCE_TOOL_MISSING",
        `building it needs the program ${program}, which is not here; install ${origins[program] ?? program}, or build it elsewhere and set \`plugin:\` to the path of the result`,
      );
    }
    const shown = command.map((part) => (part.includes("\n") ? "…" : part)).join(" ");
    onLine(`$ ${shown}`);
    const child = startChildProcess({ command, workingDirectory: folder, environment, clock });
    const { pid } = child;
    if (pid !== undefined) onGroup?.begin(pid);
    const kill = (): void => void child.stop(0);
    let bytes = 0;
    let isTooMuch = false;
    const count = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes <= maxOutputBytes || isTooMuch) return;
      isTooMuch = true;
      kill();
    };
    const lastLines = createLastLines();
    const show = createLineLimit(clock, onLine);
    const onWords = (line: Buffer): void => {
      const text = toShownLine(line);
      if (text === "") return;
      lastLines.add(text);
      show(text);
    };
    child.stdout.on("data", count);
    child.stderr.on("data", count);
    readLines({ stream: child.stderr, maxLineBytes, onLine: onWords });
    if (onOutput === undefined) readLines({ stream: child.stdout, maxLineBytes, onLine: onWords });
    else {
      readLines({
        stream: child.stdout,
        maxLineBytes: maxOutputLineBytes,
        onLine: (line) => onOutput(line.toString("utf8")),
      });
    }
    signal.addEventListener("abort", kill, { once: true });
    try {
      const end = await child.ended;
      await child.outputEnded;
      signal.throwIfAborted();
      if (end.kind === "exited" && end.code === 0) return;
      const how = isTooMuch ? "wrote more than 256 MiB and was ended" : describeEnd(end);
      throw new SourceError("SOURCE_BUILD_FAILED", `${shown} ${how}`, {
        lastLines: lastLines.list(),
      });
    } finally {
      signal.removeEventListener("abort", kill);
      if (pid !== undefined) onGroup?.end(pid);
    }
  };
}

export function isOnPath(program: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    if (folder === "") return false;
    try {
      const file = join(folder, program);
      accessSync(file, constants.X_OK);
      return statSync(file).isFile();
    } catch {
      return false;
    }
  });
}

/** Of a line that was drawn over itself only what stood there in the end. */
function toShownLine(line: Buffer): string {
  const text = line.toString("utf8").trimEnd();
  const shown = toPrintableLine(text.slice(text.lastIndexOf("\r") + 1));
  return redactSecrets(
    shown.length > maxShownLength ? `${shown.slice(0, maxShownLength)}…` : shown,
  );
}

function createLastLines(): { add: (line: string) => void; list: () => readonly string[] } {
  const lines: string[] = [];
  return {
    add: (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
    },
    list: () => lines,
  };
}

function createLineLimit(clock: Clock, onLine: (line: string) => void): (line: string) => void {
  let secondBeganAtMs = clock.now();
  let lines = 0;
  return (line) => {
    if (clock.now() - secondBeganAtMs >= 1_000) {
      secondBeganAtMs = clock.now();
      lines = 0;
    }
    lines += 1;
    if (lines <= maxLinesPerSecond) onLine(line);
  };
}
