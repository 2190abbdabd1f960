import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { root } from "./scratch.ts";

/** A run of `opentalon` that is over. */
export interface FinishedRun {
  /** Exit code, or the signal's name. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Arguments of the command line. */
  readonly arguments: readonly string[];
  /** Home, and working directory when no other is named. */
  readonly folder: string;
  readonly workingDirectory?: string;
  /** The whole environment, apart from PATH and HOME. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What stands on standard input; `undefined` is `</dev/null`. */
  readonly input?: string;
  /** A program that starts it, with its arguments. */
  readonly through?: readonly string[];
}

/** Longest time any run may take; only a run that hangs gets there. */
const limitMs = 60_000;

/** Runs the built program from start to end, with nothing of this environment. */
export async function runOpenTalon(options: RunOptions): Promise<FinishedRun> {
  const { folder, environment = {}, input, through = [] } = options;
  const [program = "", ...rest] = [...through, join(root, "opentalon"), ...options.arguments];
  const child = spawn(program, rest, {
    cwd: options.workingDirectory ?? folder,
    env: { PATH: process.env["PATH"], HOME: folder, ...environment },
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    timeout: limitMs,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(input);
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  return { code: code ?? signal ?? "", stdout, stderr };
}
