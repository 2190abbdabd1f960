import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import type { Clock } from "../base/clock.ts";
import { PluginError, toMessage } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Secret } from "../base/secret.ts";
import { redactSecrets } from "../base/secret.ts";
import type { Environment } from "./child-environment.ts";
import { toChildEnvironment } from "./child-environment.ts";
import type { ChildProcess } from "./child-process.ts";
import { describeEnd, startChildProcess } from "./child-process.ts";
import type { Enclosure, Fence } from "./fence/create-fence.ts";
import { toFolderName } from "./folder-name.ts";
import { logLines } from "./log-lines.ts";
import type { OrphanGuard } from "./orphan-guard.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import type { TemporaryFolder, TemporaryFolders } from "./temporary-folder.ts";

/** A process inside its fence, which has not said anything yet. */
export interface StartedProgram {
  readonly pid: number | undefined;
  /** A folder of its own, which only this user may enter; its TMPDIR. */
  readonly temporaryFolder: string;
  readonly workingDirectory: string;
  /** Has to be read, or the process waits for its reader some day; ended when the process has our own streams. */
  readonly stdout: Readable;
  /** Aborts, with a `PluginError` "crashed" as reason, as soon as the process has ended. */
  readonly gone: AbortSignal;
  /** How it ended by itself; `undefined` while it runs, and when a signal or a bound ended it. */
  readonly exitCode: () => number | undefined;
  /** Rejects, with a `PluginError` "handshake-failed" that holds its last words, once the process has ended. */
  readonly earlyEnd: Promise<never>;
  /** SIGINT, after `graceMs` SIGKILL to the whole group; resolves when nothing of it is left. Never rejects. */
  readonly stop: (graceMs: number) => Promise<void>;
}

export interface StartOptions extends Pick<
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
  /** More of its environment, which depends on the folder it was given. */
  readonly toFolderEnvironment?:
    | ((temporaryFolder: string) => Readonly<Record<string, string>>)
    | undefined;
  /** See `ChildProcessOptions`. */
  readonly inheritsStreams?: boolean | undefined;
  /** What it has to say before it counts as started, in words that follow "before it". */
  readonly introduction: string;
  /** Called after it ended and all it wrote was read, before its folder is removed. Must not reject. */
  readonly afterEnd?: (() => Promise<void>) | undefined;
}

export interface StartDependencies {
  readonly environment: Environment;
  readonly folders: TemporaryFolders;
  /** Where the working directories are, when state is kept. */
  readonly stateDirectory?: string | undefined;
  readonly guard: OrphanGuard;
  readonly fence: Fence;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Starts a program inside its fence, with a folder, an environment and a log of its own, on the list of what dies with us.
 * @throws PluginError "handshake-failed"; nothing of it is left then.
 */
export async function startProgram(
  options: StartOptions,
  dependencies: StartDependencies,
): Promise<StartedProgram> {
  const { plugin, introduction, inheritsStreams } = options;
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
    child = startChildProcess({
      ...enclosure,
      workingDirectory,
      environment,
      inheritsStreams,
      clock,
    });
  } catch (error) {
    await enclosure?.remove();
    await folder.remove();
    throw fail(`cannot be started: ${toMessage(error)}`);
  }

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
  const gone = new AbortController();
  let exitCode: number | undefined;
  const explained = child.ended.then((end) => {
    if (end.kind === "exited") exitCode = end.code;
    const breach = explainEnd(end);
    kill();
    return breach === undefined ? describeEnd(end) : `${breach} and was ended`;
  });
  const cleaned = explained.then(async (how) => {
    gone.abort(new PluginError(plugin, "crashed", `the plugin "${plugin}" ${how}`));
    await remove();
    if (pid !== undefined) guard.remove(pid);
    await child.outputEnded;
    await options.afterEnd?.();
    await folder.remove();
  });
  const earlyEnd = child.ended.then(async (end): Promise<never> => {
    if (end.kind === "not-started") throw fail(describeEnd(end));
    const how = await explained;
    await child.outputEnded;
    const words = errors.lastWords();
    const lastWords = words === "" ? "" : `; its last words: ${redactSecrets(words.slice(0, 200))}`;
    throw fail(`${how} before it ${introduction}${lastWords}`);
  });
  earlyEnd.catch(() => {});
  return {
    pid,
    temporaryFolder: folder.path,
    workingDirectory,
    stdout: child.stdout,
    gone: gone.signal,
    exitCode: () => exitCode,
    earlyEnd,
    stop: async (graceMs) => {
      await child.stop(graceMs);
      await cleaned;
    },
  };
}

function toEnvironment(
  { env = {}, toFolderEnvironment, sandbox }: StartOptions,
  { environment }: StartDependencies,
  workingDirectory: string,
  temporaryFolder: string,
): Record<string, string> {
  // The home of the person is not there.
  const host = sandbox === "strict" ? { ...environment, HOME: workingDirectory } : environment;
  const added = { ...env, ...toFolderEnvironment?.(temporaryFolder) };
  return toChildEnvironment({ host, added, temporaryFolder });
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
