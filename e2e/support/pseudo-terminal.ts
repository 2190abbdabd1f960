import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { root } from "./scratch.ts";

/** The built program on a terminal of its own, with somebody who types. */
export interface PseudoTerminal extends AsyncDisposable {
  /** Everything that was drawn so far, control sequences included. */
  readonly drawn: () => string;
  /** What was drawn, as text. */
  readonly text: () => string;
  readonly type: (keys: string) => void;
  /** Exit code of the program; 128 and more for a signal. */
  readonly exited: Promise<number>;
}

export const ctrlC = "\u0003";
export const ctrlD = "\u0004";

/** Python's standard library makes terminals on every Unix; Node has nothing for it. */
const script = `
import os, pty, sys
code = os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:]))
sys.exit(code if code >= 0 else 128 - code)
`;

/** Why there is no terminal here; `undefined` when there is one. */
export function findTerminalProblem(): string | undefined {
  const { status } = spawnSync("python3", ["-c", "import os, pty; os.waitstatus_to_exitcode"]);
  return status === 0 ? undefined : "python3 with its module pty is missing";
}

export interface PseudoTerminalOptions {
  readonly configPath: string;
  /** Home and working directory. */
  readonly folder: string;
}

export function startOnTerminal({ configPath, folder }: PseudoTerminalOptions): PseudoTerminal {
  const program = [join(root, "opentalon"), "--config", configPath];
  const sized = ["/bin/sh", "-c", 'stty rows 40 cols 100 && exec "$@"', "sh", ...program];
  const child = spawn("python3", ["-c", script, ...sized], {
    cwd: folder,
    env: {
      PATH: process.env["PATH"],
      HOME: folder,
      TERM: "xterm-256color",
      LANG: "C.UTF-8",
      LOG_LEVEL: "error",
    },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let drawn = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    drawn += text;
  });
  child.stdin.on("error", () => undefined);
  const exited = once(child, "close").then(([code]) => (code as number | null) ?? 255);
  return {
    drawn: () => drawn,
    text: () => drawn.replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/g, "").replaceAll("\r", ""),
    type: (keys) => void child.stdin.write(keys),
    exited,
    [Symbol.asyncDispose]: async () => {
      // Its end closes the terminal, which ends the program on it.
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
    },
  };
}
