import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import type { Log } from "../../base/log.ts";
import type { Channel } from "../../domain/channel.ts";
import { createRecentLines, maxRecentLines } from "../../plugins/recent-lines.ts";
import { createChannelPrograms } from "../process/channel-programs.ts";
import { launchChannel } from "../process/launch-channel.ts";
import { createProcessChannel } from "../process/process-channel.ts";
import { sourceArguments } from "../../base/testing/source-arguments.ts";

export interface ProgramChannelOptions {
  /** The program's `main.ts`. */
  readonly program: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Kept by the caller, for another start; a new one that goes with the channel unless said. */
  readonly dataDirectory?: string;
  readonly longestDelayMs?: number;
  readonly log?: Log;
}

export interface ProgramChannel extends AsyncDisposable {
  readonly channel: Channel;
  /** Holds all that the host keeps on disk about it. */
  readonly dataDirectory: string;
  /** Processes, in the order they were started. */
  readonly pids: () => readonly number[];
  /** The last lines of its log, as the operator reads them. */
  readonly readLog: () => readonly string[];
}

/** A channel that comes along, started from its sources as OpenTalon would start what is built of it. */
export async function openProgramChannel(options: ProgramChannelOptions): Promise<ProgramChannel> {
  const { program, config, longestDelayMs } = options;
  const dataDirectory = options.dataDirectory ?? (await mkdtemp(join(tmpdir(), "opentalon-test-")));
  const clock = systemClock;
  const lines = createRecentLines(clock);
  const log = lines.record(options.log ?? createSilentLog());
  const programs = createChannelPrograms({ environment: process.env, dataDirectory, clock, log });
  const name = "program";
  const pidFile = join(dataDirectory, "pids");
  const channel = createProcessChannel({
    name,
    kind: "binary",
    config,
    openEndpoint: (signal) =>
      launchChannel(
        {
          name,
          command: [
            "/bin/sh",
            "-c",
            'echo $$ >> "$0"; exec "$@"',
            pidFile,
            process.execPath,
            ...sourceArguments,
            program,
          ],
          ownsTerminal: false,
          signal,
        },
        { ...programs, clock, log },
      ),
    longestDelayMs,
    maxMessageBytes: programs.maxMessageBytes,
    clock,
    log,
  });
  return {
    channel,
    dataDirectory,
    pids: () =>
      existsSync(pidFile) ? readFileSync(pidFile, "utf8").trimEnd().split("\n").map(Number) : [],
    readLog: () => lines.last(maxRecentLines).map(({ text }) => text),
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      await programs[Symbol.asyncDispose]();
      if (options.dataDirectory === undefined) await rm(dataDirectory, { recursive: true });
    },
  };
}
