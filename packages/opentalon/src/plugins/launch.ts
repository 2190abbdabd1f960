import { lstat, mkdir, rmdir, unlink } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import type { Readable } from "node:stream";
import type { Handshake } from "@opentalon/protocol";
import { maxHandshakeBytes, parseHandshake } from "@opentalon/protocol";
import type { Clock } from "../base/clock.ts";
import { createDeadline } from "../base/deadline.ts";
import { formatDuration } from "../base/duration.ts";
import { PluginError, toMessage } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Secret } from "../base/secret.ts";
import { redactSecrets } from "../base/secret.ts";
import type { Environment } from "./child-environment.ts";
import { toChildEnvironment } from "./child-environment.ts";
import type { ChildProcess } from "./child-process.ts";
import { describeEnd, startChildProcess } from "./child-process.ts";
import { toAbortError, untilAborted } from "./deadline.ts";
import type { Enclosure, Fence } from "./fence/create-fence.ts";
import { toFolderName } from "./folder-name.ts";
import { logLines } from "./log-lines.ts";
import type { OrphanGuard } from "./orphan-guard.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import type { TemporaryFolder, TemporaryFolders } from "./temporary-folder.ts";

/** A plugin process that has said where it listens. */
export interface LaunchedPlugin {
  readonly handshake: Handshake;
  readonly pid: number | undefined;
  /** Aborts, with a `PluginError` "crashed" as reason, as soon as the process has ended. */
  readonly gone: AbortSignal;
  /** SIGINT, after five seconds SIGKILL to the whole group; resolves when nothing of it is left. Never rejects. */
  readonly stop: () => Promise<void>;
}

export interface LaunchOptions extends Pick<
  PluginEntry,
  "limits" | "sandbox" | "sandboxNetwork" | "programFolder" | "dataFolder"
> {
  /** Key of the entry, for messages. */
  readonly plugin: string;
  /** Path of the program, or program and arguments. What begins with `./` or `../` is relative to where we run. */
  readonly command: string | readonly string[];
  /** An existing folder; one of its own when absent. */
  readonly workingDirectory?: string | undefined;
  readonly env?: Readonly<Record<string, string | Secret>> | undefined;
  readonly handshakeTimeoutMs: number;
  /** Gives the launch up. */
  readonly signal: AbortSignal;
  /** Called once the process runs, while there is time to do something else. */
  readonly onStarted?: (() => void) | undefined;
}

export interface LaunchDependencies {
  readonly environment: Environment;
  readonly folders: TemporaryFolders;
  /** Where the working directories of plugins are, when state is kept. */
  readonly stateDirectory?: string | undefined;
  readonly guard: OrphanGuard;
  readonly fence: Fence;
  readonly clock: Clock;
  readonly log: Log;
}

const stopGraceMs = 5_000;

/**
 * Starts a plugin and waits for its handshake. Until then and afterwards, whatever it writes is read and bounded.
 * @throws PluginError "handshake-failed" when it ends, falls silent or says something else; nothing of it is left then.
 */
export async function launchPlugin(
  options: LaunchOptions,
  dependencies: LaunchDependencies,
): Promise<LaunchedPlugin> {
  const { plugin, handshakeTimeoutMs, signal } = options;
  const { guard, clock, log } = dependencies;
  const fail = (problem: string): PluginError =>
    new PluginError(plugin, "handshake-failed", `the plugin "${plugin}" ${problem}`);

  const folder = await dependencies.folders.create().catch((error: unknown) => {
    throw fail(`cannot be started: no temporary folder: ${toMessage(error)}`);
  });
  let workingDirectory: string;
  let enclosure: Enclosure | undefined;
  let child: ChildProcess;
  try {
    workingDirectory =
      options.workingDirectory ??
      (await createWorkingDirectory(plugin, folder, dependencies.stateDirectory));
    const environment = toEnvironment(options, dependencies, workingDirectory, folder.path);
    enclosure = await dependencies.fence.enclose({
      command: toCommand(options.command),
      environment,
      workingDirectory,
      temporaryFolder: folder.path,
      limits: options.limits ?? {},
      sandbox: options.sandbox ?? "off",
      network: options.sandboxNetwork ?? false,
      programFolder: options.programFolder,
      dataFolder: options.dataFolder,
    });
    child = startChildProcess({ ...enclosure, workingDirectory, environment, clock });
  } catch (error) {
    await enclosure?.remove();
    await folder.remove();
    throw fail(`cannot be started: ${toMessage(error)}`);
  }

  options.onStarted?.();
  const { pid } = child;
  const { watch, kill, explainEnd, remove, cgroups } = enclosure;
  if (pid !== undefined) {
    guard.add(pid, folder.path, cgroups);
    watch(pid, (problem) => {
      log.warn({ problem }, "Plugin ended for what it used");
      kill();
      void child.stop(0);
    });
  }
  const errors = logLines({ stream: child.stderr, log, clock });
  let handshake: Handshake | undefined;
  const gone = new AbortController();
  const explained = child.ended.then((end) => {
    const breach = explainEnd(end);
    kill();
    return breach === undefined ? describeEnd(end) : `${breach} and was ended`;
  });
  const cleaned = explained.then(async (how) => {
    gone.abort(new PluginError(plugin, "crashed", `the plugin "${plugin}" ${how}`));
    await remove();
    if (pid !== undefined) guard.remove(pid);
    await child.outputEnded;
    if (handshake?.network === "unix") await removeForeignSocket(handshake.address);
    await folder.remove();
  });
  const stop = async (graceMs: number): Promise<void> => {
    await child.stop(graceMs);
    await cleaned;
  };

  const earlyEnd = child.ended.then(async (end): Promise<never> => {
    if (end.kind === "not-started") throw fail(describeEnd(end));
    const how = await explained;
    await child.outputEnded;
    const words = errors.lastWords();
    const lastWords = words === "" ? "" : `; its last words: ${redactSecrets(words.slice(0, 200))}`;
    throw fail(`${how} before it said where it listens${lastWords}`);
  });
  earlyEnd.catch(() => {});

  using deadline = createDeadline({
    clock,
    timeoutMs: handshakeTimeoutMs,
    signal,
    toError: () =>
      fail(`did not say where it listens within ${formatDuration(handshakeTimeoutMs)}`),
  });
  try {
    const line = readFirstLine(child.stdout).catch(async (error: unknown) => {
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
    return { handshake, pid, gone: gone.signal, stop: () => stop(stopGraceMs) };
  } catch (error) {
    await stop(0);
    if (deadline.signal.aborted) throw toAbortError(plugin, deadline.signal);
    throw error instanceof PluginError ? error : fail(`cannot be used: ${toMessage(error)}`);
  }
}

const closedOutputGraceMs = 500;
const unreachableInside =
  "it listens on TCP, where nobody reaches it in a strict sandbox without a network; let it listen on a Unix socket, or set network: true";

function toEnvironment(
  { env = {}, sandbox }: LaunchOptions,
  { environment }: LaunchDependencies,
  workingDirectory: string,
  temporaryFolder: string,
): Record<string, string> {
  // The home of the person is not there.
  const host = sandbox === "strict" ? { ...environment, HOME: workingDirectory } : environment;
  return toChildEnvironment({ host, added: env, temporaryFolder });
}

function toCommand(command: string | readonly string[]): readonly string[] {
  if (typeof command === "string") return [command.includes("/") ? resolve(command) : command];
  return command.map((part, index) => {
    const isRelative =
      part.startsWith("./") || part.startsWith("../") || (index === 0 && part.includes("/"));
    return isRelative ? resolve(part) : part;
  });
}

async function createWorkingDirectory(
  plugin: string,
  folder: TemporaryFolder,
  stateDirectory: string | undefined,
): Promise<string> {
  if (stateDirectory === undefined) return folder.path;
  const path = resolve(stateDirectory, "plugins", toFolderName(plugin));
  await mkdir(path, { recursive: true });
  return path;
}

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
