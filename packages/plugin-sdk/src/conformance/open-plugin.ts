import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Handshake } from "@opentalon/protocol";
import { parseHandshake } from "@opentalon/protocol";
import type { Address } from "../testing-kit/grpc-call.ts";
import { untilReachable } from "../testing-kit/connect-to.ts";
import { within } from "../testing-kit/patience.ts";
import type {
  PluginProcess,
  PluginProcessOptions,
  ProcessEnd,
} from "../testing-kit/plugin-process.ts";
import { describeLastWords, startProcess } from "../testing-kit/plugin-process.ts";

/** A plugin that listens. */
export interface OpenedPlugin {
  readonly process: PluginProcess;
  readonly address: Address;
  /** How it said where: a line on standard output, or the socket of a channel. */
  readonly by: "line" | "socket";
  /** The line; empty for a channel. */
  readonly line: string;
  /** Which line of standard output it was, from 1; 0 for a channel. */
  readonly lineNumber: number;
  /** Bytes of standard output up to the end of that line. */
  readonly lineBytes: number;
  readonly readyMs: number;
}

export type Opening =
  | { readonly kind: "opened"; readonly opened: OpenedPlugin }
  /** `why` follows "it". Nothing of the process is left. */
  | { readonly kind: "failed"; readonly why: string; readonly hasEnded: boolean };

export interface OpenOptions extends PluginProcessOptions {
  /** Takes only this for an answer; whichever comes first when absent. */
  readonly expects?: "line" | "socket" | undefined;
  readonly timeoutMs: number;
}

/** Starts a plugin and waits until it listens. More patient than the host with what comes before the handshake. */
export async function openPlugin(options: OpenOptions): Promise<Opening> {
  const { expects, timeoutMs } = options;
  const startMs = performance.now();
  const process = startProcess(options);
  const given = new AbortController();
  const found = await within(
    timeoutMs,
    Promise.race([
      expects === "socket" ? never : untilLine(process, given.signal),
      expects === "line" ? never : untilSocket(process, given.signal),
      process.ended.then(() => undefined),
    ]),
  );
  given.abort();
  const readyMs = performance.now() - startMs;
  if (found !== undefined) {
    return { kind: "opened", opened: { process, readyMs, ...found } };
  }
  const wanted = {
    line: 'said nothing like "1|unix|<path>" on standard output',
    socket: "made no channel.sock in OPENTALON_CHANNEL_SOCK_DIR",
    either: 'neither said "1|unix|<path>" nor made a channel.sock',
  }[expects ?? "either"];
  const hasEnded = process.hasEnded();
  const late = `${wanted} within ${timeoutMs / 1_000} s`;
  const why = hasEnded ? describeEnd(await process.ended) : late;
  await within(200, process.stderr.ended);
  const said = process.stdout.lines[0];
  const first =
    said === undefined ? "" : `; its first line was ${JSON.stringify(said.slice(0, 100))}`;
  await process.stop(0);
  return { kind: "failed", why: `${why}${first}${describeLastWords(process)}`, hasEnded };
}

/** One that never ran says so itself. */
function describeEnd({ code, signal, words }: ProcessEnd): string {
  return code === undefined && signal === undefined ? words : `${words} before it listened`;
}

type Found = Omit<OpenedPlugin, "process" | "readyMs">;

const never = new Promise<never>(() => {});

function untilLine(
  { stdout, workingDirectory }: PluginProcess,
  given: AbortSignal,
): Promise<Found> {
  return new Promise((settle) => {
    let lineNumber = 0;
    let lineBytes = 0;
    const take = (line: string): void => {
      lineNumber += 1;
      lineBytes += Buffer.byteLength(line) + 1;
      const handshake = readHandshake(line);
      if (handshake === undefined) return;
      const { network, address } = handshake;
      const path = network === "unix" ? resolve(workingDirectory, address) : address;
      settle({ address: { network, address: path }, by: "line", line, lineNumber, lineBytes });
    };
    for (const line of stdout.lines) take(line);
    given.addEventListener("abort", stdout.watch(take), { once: true });
  });
}

function readHandshake(line: string): Handshake | undefined {
  try {
    return parseHandshake(line);
  } catch {
    return undefined;
  }
}

async function untilSocket({ channelFolder }: PluginProcess, given: AbortSignal): Promise<Found> {
  const address: Address = { network: "unix", address: join(channelFolder, "channel.sock") };
  while (!given.aborted) {
    if (existsSync(address.address) && (await untilReachable(address, 0)))
      return { address, by: "socket", line: "", lineNumber: 0, lineBytes: 0 };
    await new Promise((settle) => setTimeout(settle, 20));
  }
  return never;
}
