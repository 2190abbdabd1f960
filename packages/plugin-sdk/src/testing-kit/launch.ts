import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseHandshake } from "@opentalon/protocol";
import { untilReachable } from "./connect-to.ts";
import type { Address } from "./grpc-call.ts";
import { becomes, within } from "./patience.ts";
import type { PluginProcess, PluginProcessOptions } from "./plugin-process.ts";
import { describeLastWords, startProcess } from "./plugin-process.ts";

/** What every `start…` of this kit takes. */
export interface StartOptions extends Omit<PluginProcessOptions, "asChannel" | "wholeEnvironment"> {
  /** The `config` of the plugin's entry; `{}` unless given. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** How long the plugin may take to say where it listens, in milliseconds. 20,000 unless given. */
  readonly startTimeoutMs?: number | undefined;
}

/** What every started plugin offers a test. */
export interface StartedProcess extends AsyncDisposable {
  /** Number of the process. */
  readonly pid: number;
  /** The last 1,000 lines it wrote to standard error; the growing array itself. */
  readonly stderr: readonly string[];
  /** Its working directory. */
  readonly workingDirectory: string;
  /**
   * Ends it as the host does: SIGINT, after five seconds SIGKILL. Resolves to how it ended, when nothing of it is left:
   * no process of its group, no folder. `await using` does it by itself.
   */
  readonly stop: () => Promise<StopOutcome>;
  /** SIGKILL at once. */
  readonly kill: () => Promise<StopOutcome>;
}

export interface StopOutcome {
  /** `undefined` when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** Files it left in its TMPDIR. */
  readonly leftovers: readonly string[];
}

/** How long plugins may take for what is no call of an action, such as introducing themselves. */
export const introductionMs = 5_000;

const defaultStartTimeoutMs = 20_000;

/**
 * Starts a plugin and waits for its handshake.
 * @throws Error that says why there is none; nothing of the process is left then.
 */
export async function launchPlugin(
  options: StartOptions,
): Promise<{ readonly process: PluginProcess; readonly address: Address }> {
  const process = startProcess(options);
  const { startTimeoutMs = defaultStartTimeoutMs } = options;
  try {
    const line = await within(startTimeoutMs, Promise.race([nextLine(process), untilEnd(process)]));
    if (line === undefined)
      throw new Error(`did not say where it listens within ${startTimeoutMs} ms`);
    const { network, address } = parseHandshake(line);
    const path = network === "unix" ? resolve(process.workingDirectory, address) : address;
    return { process, address: { network, address: path } };
  } catch (error) {
    throw await toStartError(process, error);
  }
}

/**
 * Starts a channel and waits for its socket.
 * @throws Error that says why there is none; nothing of the process is left then.
 */
export async function launchChannel(
  options: StartOptions,
): Promise<{ readonly process: PluginProcess; readonly address: Address }> {
  const process = startProcess({ ...options, asChannel: true });
  const { startTimeoutMs = defaultStartTimeoutMs } = options;
  const address = join(process.channelFolder, "channel.sock");
  try {
    await becomes(startTimeoutMs, () => process.hasEnded() || existsSync(address));
    if (process.hasEnded()) await untilEnd(process);
    if (!existsSync(address)) {
      throw new Error(
        `did not make channel.sock in OPENTALON_CHANNEL_SOCK_DIR within ${startTimeoutMs} ms`,
      );
    }
    if (!(await untilReachable({ network: "unix", address }, introductionMs)))
      throw new Error("made channel.sock, but takes no connection there");
    return { process, address: { network: "unix", address } };
  } catch (error) {
    throw await toStartError(process, error);
  }
}

/** The part of a started plugin that is the same for all kinds. */
export function toStartedProcess(process: PluginProcess, close: () => void): StartedProcess {
  const end = async (graceMs: number): Promise<StopOutcome> => {
    if (graceMs > 0) process.send("SIGINT");
    await within(graceMs, process.ended);
    close();
    const leftovers = process.findLeftovers();
    const { code, signal } = await process.stop(0);
    return { exitCode: code, signal, leftovers };
  };
  let outcome: Promise<StopOutcome> | undefined;
  const endOnce = (graceMs: number): Promise<StopOutcome> => (outcome ??= end(graceMs));
  return {
    pid: process.pid ?? 0,
    stderr: process.stderr.lines,
    workingDirectory: process.workingDirectory,
    stop: () => endOnce(5_000),
    kill: () => {
      process.send("SIGKILL");
      return endOnce(0);
    },
    [Symbol.asyncDispose]: async () => void (await endOnce(5_000)),
  };
}

/** The error for a plugin that failed to do something, with what it said last. */
export function toPluginError(process: PluginProcess, problem: string, cause?: unknown): Error {
  return new Error(`the plugin ${problem}${describeLastWords(process)}`, { cause });
}

async function toStartError(process: PluginProcess, error: unknown): Promise<Error> {
  await process.stop(0);
  const problem = error instanceof Error ? error.message : String(error);
  return toPluginError(process, problem, error);
}

function nextLine({ stdout }: PluginProcess): Promise<string> {
  const [first] = stdout.lines;
  if (first !== undefined) return Promise.resolve(first);
  return new Promise((resolveLine) => {
    const release = stdout.watch((line) => {
      release();
      resolveLine(line);
    });
  });
}

async function untilEnd(process: PluginProcess): Promise<never> {
  const { words } = await process.ended;
  await within(200, process.stderr.ended);
  throw new Error(`${words} before it said where it listens`);
}
