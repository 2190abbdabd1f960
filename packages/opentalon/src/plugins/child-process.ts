import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { Readable } from "node:stream";
import type { Clock } from "../base/clock.ts";
import { toMessage } from "../base/errors.ts";

/** How a child process ended. */
export type ProcessEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "killed"; readonly signal: NodeJS.Signals }
  /** It never ran; `problem` says why, for the operator. */
  | { readonly kind: "not-started"; readonly problem: string };

/** A running program in a process group of its own. */
export interface ChildProcess {
  /** Also the number of its process group; `undefined` when it never ran. */
  readonly pid: number | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves at once when the process ends; the rest of its group is killed then. Never rejects. */
  readonly ended: Promise<ProcessEnd>;
  /** Resolves once everything the process wrote was read. */
  readonly outputEnded: Promise<void>;
  /** Asks the group to end (SIGINT), kills it after `graceMs`; resolves when the process has ended. */
  readonly stop: (graceMs: number) => Promise<ProcessEnd>;
}

export interface ChildProcessOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Asks it to end in another way than by SIGINT to its group. */
  readonly interrupt?: ((pid: number) => void) | undefined;
  /** Takes an exit code of 128 and the number of a signal for that signal. */
  readonly exitCodesTellSignals?: boolean | undefined;
  /** Hands it the standard streams of this program, which must not use them then; `stdout` and `stderr` stay empty. */
  readonly inheritsStreams?: boolean | undefined;
  readonly clock: Clock;
}

/** How long what a dead process wrote may take to arrive, when a process that left its group holds on to the pipes. */
const outputGraceMs = 200;

/**
 * Starts a program: nothing on standard input unless it inherits ours, a process group of its own.
 * @throws Error when it is clear at once that it cannot start; otherwise `ended` tells.
 */
export function startChildProcess({
  command,
  workingDirectory,
  environment,
  interrupt,
  exitCodesTellSignals = false,
  inheritsStreams = false,
  clock,
}: ChildProcessOptions): ChildProcess {
  const [program = "", ...commandArguments] = command;
  if (!existsSync(workingDirectory))
    throw new Error(`the working directory ${workingDirectory} does not exist`);
  const child = spawn(program, commandArguments, {
    cwd: workingDirectory,
    env: environment,
    stdio: inheritsStreams ? "inherit" : ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const { pid } = child;
  const stdout = child.stdout ?? createEndedStream();
  const stderr = child.stderr ?? createEndedStream();
  let hasEnded = pid === undefined;

  const killGroup = (signal: NodeJS.Signals): void => {
    // After its end the number may belong to somebody else.
    if (pid === undefined || hasEnded) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // The group is gone already.
    }
  };

  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once("error", (error) =>
      resolve({ kind: "not-started", problem: explainStartFailure(program, error) }),
    );
    child.once("exit", (code, signal) => {
      killGroup("SIGKILL");
      hasEnded = true;
      const told = exitCodesTellSignals ? toSignal(code) : undefined;
      const by = signal ?? told;
      resolve(
        by === undefined ? { kind: "exited", code: code ?? 0 } : { kind: "killed", signal: by },
      );
    });
  });

  const outputEnded = ended.then(async () => {
    const streams = [stdout, stderr];
    const cancelTimer = clock.after(outputGraceMs, () => {
      for (const stream of streams) stream.destroy();
    });
    await Promise.all(streams.map(untilClosed));
    cancelTimer();
  });

  return {
    pid,
    stdout,
    stderr,
    ended,
    outputEnded,
    stop: async (graceMs) => {
      if (graceMs > 0 && interrupt !== undefined && pid !== undefined && !hasEnded) interrupt(pid);
      else killGroup(graceMs > 0 ? "SIGINT" : "SIGKILL");
      const cancelTimer = clock.after(graceMs, () => killGroup("SIGKILL"));
      const end = await ended;
      cancelTimer();
      return end;
    },
  };
}

function toSignal(code: number | null): NodeJS.Signals | undefined {
  const names = Object.entries(constants.signals);
  return names.find(([, number]) => code === 128 + number)?.[0] as NodeJS.Signals | undefined;
}

function createEndedStream(): Readable {
  return new Readable({ read: () => {} }).destroy();
}

function untilClosed(stream: Readable): Promise<void> {
  return new Promise((resolve) =>
    stream.closed ? resolve() : stream.once("close", () => resolve()),
  );
}

/** How a process ended, in words that follow "it". */
export function describeEnd(end: ProcessEnd): string {
  switch (end.kind) {
    case "exited":
      return `ended with exit code ${end.code}`;
    case "killed":
      return `was ended by ${end.signal}`;
    case "not-started":
      return `did not start: ${end.problem}`;
  }
}

function explainStartFailure(program: string, error: unknown): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case "ENOENT":
      return `there is no program ${program}, or no interpreter for it`;
    case "EACCES":
      return `${program} is not executable; set its permission with chmod +x`;
    default:
      return `${program}: ${toMessage(error)}`;
  }
}
