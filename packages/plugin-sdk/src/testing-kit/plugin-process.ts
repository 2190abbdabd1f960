import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import type { Writable } from "node:stream";
import { channelFolderVariable } from "../own-process.ts";
import type { LineLog } from "./line-log.ts";
import { createLineLog } from "./line-log.ts";
import { becomes, within } from "./patience.ts";

export interface PluginProcessOptions {
  /**
   * Path of the program, or program and arguments. What begins with `./` or `../`, and an argument that names a file, is
   * relative to the working directory of the test.
   */
  readonly command: string | readonly string[];
  /** Variables beside the few every plugin gets: PATH, HOME, LANG, LC_*, TZ and TMPDIR. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Where it runs; a folder of its own, removed at the end, when absent. */
  readonly workingDirectory?: string | undefined;
  /** Starts it as a channel: with a folder for its socket. */
  readonly asChannel?: boolean;
  /** Gives it the whole environment of this process. */
  readonly wholeEnvironment?: boolean;
}

/** How a process ended, in words that follow "it". */
export interface ProcessEnd {
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly words: string;
}

/** A plugin's process, in a group and in folders of its own. */
export interface PluginProcess {
  readonly pid: number | undefined;
  readonly stdin: Writable;
  readonly stdout: LineLog;
  readonly stderr: LineLog;
  /** Its TMPDIR. */
  readonly temporaryFolder: string;
  readonly workingDirectory: string;
  /** Where a channel makes its socket. */
  readonly channelFolder: string;
  readonly ended: Promise<ProcessEnd>;
  readonly hasEnded: () => boolean;
  readonly send: (signal: NodeJS.Signals) => void;
  /** Paths of what lies in the folders it was given, without what was there at the start. */
  readonly findLeftovers: () => readonly string[];
  /** Whether a process of its group still runs. */
  readonly hasRelatives: () => boolean;
  /** Kills whatever is left of its group and removes its folders. May be called again. */
  readonly dispose: () => Promise<void>;
  /** SIGINT, after `graceMs` SIGKILL; then `dispose`. */
  readonly stop: (graceMs?: number) => Promise<ProcessEnd>;
}

export const stopGraceMs = 5_000;

/** Starts a plugin. Never throws for a program that cannot run: `ended` tells. */
export function startProcess(options: PluginProcessOptions): PluginProcess {
  // Short, because the path of a socket has at most 107 bytes.
  const base = Buffer.byteLength(tmpdir()) <= 40 ? tmpdir() : "/tmp";
  const root = mkdtempSync(join(base, "otk-"));
  const temporaryFolder = mkdtempSync(join(root, "t-"));
  const channelFolder = mkdtempSync(join(root, "c-"));
  const workingDirectory = options.workingDirectory ?? mkdtempSync(join(root, "w-"));
  const [program = "", ...rest] = toCommand(options.command);
  const environment = {
    ...toEnvironment(options.wholeEnvironment === true),
    TMPDIR: temporaryFolder,
    ...(options.asChannel === true ? { [channelFolderVariable]: channelFolder } : {}),
    ...options.env,
  };
  const child = spawn(program, rest, {
    cwd: workingDirectory,
    env: environment,
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  const { pid } = child;
  child.stdin.on("error", () => {});
  // A plugin has nothing to read; a channel may own a terminal, which its test plays.
  if (options.asChannel !== true) child.stdin.end();
  let hasEnded = pid === undefined;
  const ended = watchEnd(child, program).then((end) => {
    hasEnded = true;
    return end;
  });
  const stdout = createLineLog(child.stdout);
  const stderr = createLineLog(child.stderr);

  const signalGroup = (signal: NodeJS.Signals): void => {
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // The group is gone already.
    }
  };
  // A test that ends without a word must not leave a process behind.
  const abandon = (): void => {
    signalGroup("SIGKILL");
    rmSync(root, { recursive: true, force: true });
  };
  process.once("exit", abandon);
  const dispose = async (): Promise<void> => {
    if (!hasEnded || isGroupAlive(pid)) signalGroup("SIGKILL");
    await ended;
    await within(200, Promise.all([stdout.ended, stderr.ended]));
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    process.off("exit", abandon);
  };
  return {
    pid,
    stdin: child.stdin,
    stdout,
    stderr,
    temporaryFolder,
    workingDirectory,
    channelFolder,
    ended,
    hasEnded: () => hasEnded,
    send: (signal) => {
      if (!hasEnded) signalGroup(signal);
    },
    findLeftovers: () =>
      [temporaryFolder, channelFolder].flatMap((folder) =>
        existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [],
      ),
    hasRelatives: () => isGroupAlive(pid),
    dispose,
    stop: async (graceMs = stopGraceMs) => {
      if (!hasEnded) signalGroup("SIGINT");
      await within(graceMs, ended);
      // What it started may take a moment longer than it did.
      await becomes(500, () => !hasEnded || !isGroupAlive(pid));
      await dispose();
      return ended;
    },
  };
}

/** What a process said last, for error messages; empty when it said nothing. */
export function describeLastWords({ stderr }: PluginProcess): string {
  const words = stderr.lines.slice(-20).join("\n  ").slice(-2_000);
  return words === "" ? "" : `; its last words:\n  ${words}`;
}

function watchEnd(child: ChildProcess, program: string): Promise<ProcessEnd> {
  return new Promise((settle) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      const words =
        error.code === "ENOENT"
          ? `did not start: there is no program ${program}, or no interpreter for it`
          : `did not start: ${error.code === "EACCES" ? `${program} is not executable` : error.message}`;
      settle({ code: undefined, signal: undefined, words });
    });
    child.once("exit", (code, signal) => {
      const words = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
      settle({ code: code ?? undefined, signal: signal ?? undefined, words });
    });
  });
}

function toCommand(command: string | readonly string[]): readonly string[] {
  const parts = typeof command === "string" ? [command] : command;
  return parts.map((part, index) => {
    const isPath =
      part.startsWith("./") || part.startsWith("../") || (index === 0 && part.includes("/"));
    return isPath || (index > 0 && part !== "" && existsSync(part)) ? resolve(part) : part;
  });
}

const passedOn = /^(?:HOME|LANG|LC_[A-Z]+|TZ|OPENTALON_GRPC_MAX_MSG_BYTES)$/;

/** Like the host's: few variables, so that a plugin that needs more is found out here. */
function toEnvironment(isWhole: boolean): NodeJS.ProcessEnv {
  const path = process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin";
  const names = Object.keys(process.env).filter((name) => isWhole || passedOn.test(name));
  return {
    ...Object.fromEntries(names.map((name) => [name, process.env[name]])),
    PATH: [path, dirname(process.execPath)].join(delimiter),
  };
}

/** A process that has ended and waits for its parent to take note does not count. */
function isGroupAlive(group: number | undefined): boolean {
  if (group === undefined) return false;
  try {
    process.kill(-group, 0);
  } catch {
    return false;
  }
  if (!existsSync("/proc/self/stat")) return true;
  return readdirSync("/proc").some((name) => {
    if (!/^\d+$/.test(name)) return false;
    const [state, , groupOfIt] = readStat(name);
    return groupOfIt === String(group) && state !== "Z";
  });
}

/** State, parent, group, … of a process; empty when it is gone. */
function readStat(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
  } catch {
    return [];
  }
}
