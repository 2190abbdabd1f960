import { lstat, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Handshake, parseHandshake } from "@opentalon/protocol";
import type { Clock } from "../../base/clock.ts";
import { createDeadline } from "../../base/deadline.ts";
import { formatDuration } from "../../base/duration.ts";
import { PluginError, toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Secret } from "../../base/secret.ts";
import { toAbortError, untilAborted } from "../../plugins/deadline.ts";
import { toFolderName } from "../../plugins/folder-name.ts";
import { logLines } from "../../plugins/log-lines.ts";
import type { ProcessLimits } from "../../plugins/plugin-entry.ts";
import { type StartDependencies, startProgram } from "../../plugins/start-program.ts";
import type { ChannelEndpoint } from "./channel-endpoint.ts";

export interface LaunchChannelOptions {
  /** Name of the channel. */
  readonly name: string;
  /** Path of the program, or program and arguments. */
  readonly command: string | readonly string[];
  /** Where its program came from, when that is a folder of its own; readable also in a sandbox. */
  readonly programFolder?: string | undefined;
  readonly env?: Readonly<Record<string, string | Secret>> | undefined;
  readonly limits?: ProcessLimits | undefined;
  readonly sandbox?: "off" | "strict" | undefined;
  /** Leaves it the network in a strict sandbox. */
  readonly network?: boolean | undefined;
  /** It has the terminal of this program, which must not read or write there then. */
  readonly ownsTerminal: boolean;
  readonly readyTimeoutMs?: number | undefined;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/** Names the folder a channel makes its socket in. */
export const socketFolderVariable = "OPENTALON_CHANNEL_SOCK_DIR";
/** The socket a channel makes in there. */
export const socketName = "channel.sock";

const stopGraceMs = 5_000;
const pollMs = 25;
/** Programs at a terminal want to know what kind it is. */
const terminalVariables = ["TERM", "COLORTERM", "NO_COLOR"];

/**
 * Starts the program of a channel and waits until it listens: on `channel.sock` in the folder it was given, or where it
 * says on its standard output, `<channel id>|unix|<path>`.
 * @throws PluginError "handshake-failed" when it ends or does neither; nothing of it is left then.
 */
export async function launchChannel(
  options: LaunchChannelOptions,
  dependencies: StartDependencies,
): Promise<ChannelEndpoint> {
  const {
    name,
    command,
    programFolder,
    limits,
    sandbox,
    network = true,
    ownsTerminal,
    signal,
  } = options;
  const { readyTimeoutMs = 10_000 } = options;
  const { clock, log, environment } = dependencies;
  const terminal = ownsTerminal ? pick(environment, terminalVariables) : {};
  const started = await startProgram(
    {
      plugin: name,
      command,
      programFolder,
      workingDirectory: await createWorkingDirectory(name, dependencies.stateDirectory),
      env: { ...terminal, ...options.env },
      toFolderEnvironment: (folder) => ({ [socketFolderVariable]: folder }),
      inheritsStreams: ownsTerminal,
      limits,
      sandbox,
      sandboxNetwork: network,
      introduction: ownsTerminal
        ? "listened; what it said stands on the terminal"
        : "listened on its socket",
    },
    dependencies,
  );
  const { stdout, temporaryFolder, workingDirectory, earlyEnd, gone, exitCode, stop } = started;
  const told = readAddress({ stdout, workingDirectory, clock, log });
  const path = join(temporaryFolder, socketName);
  const problem = `the plugin "${name}" made no socket within ${formatDuration(readyTimeoutMs)}: it has to listen on ${socketName} in the folder ${socketFolderVariable} names`;
  using deadline = createDeadline({
    clock,
    timeoutMs: readyTimeoutMs,
    signal,
    toError: () => new PluginError(name, "handshake-failed", problem),
  });
  const given = new AbortController();
  try {
    const address = await untilAborted(
      name,
      deadline.signal,
      Promise.race([told, untilSocket(path, clock, given.signal), earlyEnd]),
    );
    return { address, gone, exitCode, stop: () => stop(stopGraceMs) };
  } catch (error) {
    await stop(0);
    if (deadline.signal.aborted) throw toAbortError(name, deadline.signal);
    throw error;
  } finally {
    given.abort();
  }
}

/** Resolves when there is a socket at the path; never when the signal aborts first. */
export async function untilSocket(
  path: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<Handshake> {
  for (;;) {
    const found = await lstat(path).catch(() => undefined);
    if (found?.isSocket() === true) return { network: "unix", address: path };
    await clock.sleep(pollMs, signal);
    if (signal.aborted) return new Promise<never>(() => {});
  }
}

interface AddressSource {
  readonly stdout: Parameters<typeof logLines>[0]["stream"];
  readonly workingDirectory: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where a channel says that it listens; everything else it writes is logged. */
function readAddress({ stdout, workingDirectory, clock, log }: AddressSource): Promise<Handshake> {
  return new Promise((resolveAddress) => {
    let isTold = false;
    const take = (text: string): boolean => {
      const match = isTold ? null : /^[\w.-]{1,64}(\|(?:unix|tcp)\|.*)$/.exec(text.trim());
      if (match === null) return false;
      try {
        const address = parseHandshake(`1${match[1] ?? ""}`);
        isTold = true;
        resolveAddress(
          address.network === "unix"
            ? { ...address, address: resolve(workingDirectory, address.address) }
            : address,
        );
      } catch (error) {
        log.warn({ problem: toMessage(error) }, "a channel said where it listens, and not well");
      }
      return true;
    };
    logLines({ stream: stdout, log, clock, take });
  });
}

async function createWorkingDirectory(
  name: string,
  stateDirectory: string | undefined,
): Promise<string | undefined> {
  if (stateDirectory === undefined) return undefined;
  const path = resolve(stateDirectory, toFolderName(name));
  await mkdir(path, { recursive: true });
  return path;
}

function pick(
  environment: Readonly<Record<string, string | undefined>>,
  names: readonly string[],
): Record<string, string> {
  const entries = names.map((name) => [name, environment[name]] as const);
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
