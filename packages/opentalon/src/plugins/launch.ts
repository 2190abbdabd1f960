import { lstat, rmdir, unlink } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { Readable } from "node:stream";
import type { Handshake } from "@opentalon/protocol";
import { maxHandshakeBytes, parseHandshake } from "@opentalon/protocol";
import { createDeadline } from "../base/deadline.ts";
import { formatDuration } from "../base/duration.ts";
import { PluginError, toMessage } from "../base/errors.ts";
import { toAbortError, untilAborted } from "./deadline.ts";
import type { StartDependencies, StartOptions } from "./start-program.ts";
import { startProgram } from "./start-program.ts";

/** A plugin process that has said where it listens. */
export interface LaunchedPlugin {
  readonly handshake: Handshake;
  readonly pid: number | undefined;
  /** Aborts, with a `PluginError` "crashed" as reason, as soon as the process has ended. */
  readonly gone: AbortSignal;
  /** SIGINT, after five seconds SIGKILL to the whole group; resolves when nothing of it is left. Never rejects. */
  readonly stop: () => Promise<void>;
}

export interface LaunchOptions extends Omit<
  StartOptions,
  "introduction" | "afterEnd" | "inheritsStreams" | "toFolderEnvironment"
> {
  readonly handshakeTimeoutMs: number;
  /** Gives the launch up. */
  readonly signal: AbortSignal;
  /** Called once the process runs, while there is time to do something else. */
  readonly onStarted?: (() => void) | undefined;
}

export type LaunchDependencies = StartDependencies;

/** How long a process that was asked to end may take. */
export const stopGraceMs = 5_000;

/**
 * Starts a plugin and waits for its handshake. Until then and afterwards, whatever it writes is read and bounded.
 * @throws PluginError "handshake-failed" when it ends, falls silent or says something else; nothing of it is left then.
 */
export async function launchPlugin(
  options: LaunchOptions,
  dependencies: LaunchDependencies,
): Promise<LaunchedPlugin> {
  const { plugin, handshakeTimeoutMs, signal } = options;
  const { clock } = dependencies;
  const fail = (problem: string): PluginError =>
    new PluginError(plugin, "handshake-failed", `the plugin "${plugin}" ${problem}`);

  let handshake: Handshake | undefined;
  const started = await startProgram(
    {
      ...options,
      introduction: "said where it listens",
      afterEnd: async () => {
        if (handshake?.network === "unix") await removeForeignSocket(handshake.address);
      },
    },
    dependencies,
  );
  options.onStarted?.();
  const { pid, gone, stdout, earlyEnd, workingDirectory, stop } = started;

  using deadline = createDeadline({
    clock,
    timeoutMs: handshakeTimeoutMs,
    signal,
    toError: () =>
      fail(`did not say where it listens within ${formatDuration(handshakeTimeoutMs)}`),
  });
  try {
    const line = readFirstLine(stdout).catch(async (error: unknown) => {
      // Usually the process is just ending, and how it ended says more.
      await Promise.race([earlyEnd, clock.sleep(closedOutputGraceMs)]);
      throw error;
    });
    const text = await untilAborted(plugin, deadline.signal, Promise.race([line, earlyEnd]));
    const parsed = parseHandshake(text);
    if (parsed.network === "tcp" && options.sandbox === "strict" && options.sandboxNetwork !== true)
      throw new Error(unreachableInside);
    handshake =
      parsed.network === "unix"
        ? { ...parsed, address: resolve(workingDirectory, parsed.address) }
        : parsed;
    return { handshake, pid, gone, stop: () => stop(stopGraceMs) };
  } catch (error) {
    await stop(0);
    if (deadline.signal.aborted) throw toAbortError(plugin, deadline.signal);
    throw error instanceof PluginError ? error : fail(`cannot be used: ${toMessage(error)}`);
  }
}

const closedOutputGraceMs = 500;
const unreachableInside =
  "it listens on TCP, where nobody reaches it in a strict sandbox without a network; let it listen on a Unix socket, or set network: true";

/** The first line of a stream; what follows is read and forgotten, for as long as the stream lasts. */
function readFirstLine(stream: Readable): Promise<string> {
  return new Promise((resolveLine, reject) => {
    let read = Buffer.alloc(0);
    const finish = (settle: () => void): void => {
      stream.off("data", take);
      stream.off("close", close);
      // Flowing without a listener drops everything, so that the process never waits for us.
      stream.resume();
      settle();
    };
    const take = (chunk: Buffer): void => {
      read = Buffer.concat([read, chunk.subarray(0, maxHandshakeBytes + 1 - read.length)]);
      const end = read.indexOf(10);
      if (end >= 0) finish(() => resolveLine(read.subarray(0, end).toString("utf8")));
      else if (read.length > maxHandshakeBytes)
        finish(() => reject(new Error("its first line is too long to be a handshake")));
    };
    const close = (): void =>
      finish(() => reject(new Error("it closed its standard output without a handshake")));
    stream.on("data", take);
    stream.once("close", close);
    stream.on("error", () => {});
  });
}

/**
 * Removes a socket a plugin made outside the folder it was given, and the folder around it, when both look like what
 * plugins make. The path comes from the plugin, so nothing else is ever touched.
 */
async function removeForeignSocket(path: string): Promise<void> {
  try {
    const parent = dirname(path);
    if (!basename(parent).startsWith("opentalon-plugin-")) return;
    if ((await lstat(path)).isSocket()) await unlink(path);
    await rmdir(parent);
  } catch {
    // Gone already, or not ours to remove.
  }
}
