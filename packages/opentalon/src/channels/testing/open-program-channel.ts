import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import type { Log } from "../../base/log.ts";
import type { Channel } from "../../domain/channel.ts";
import { createChannelPrograms } from "../process/channel-programs.ts";
import { launchChannel } from "../process/launch-channel.ts";
import { createProcessChannel } from "../process/process-channel.ts";

export interface OpenProgramOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
  readonly longestDelayMs?: number;
  readonly log?: Log;
}

export interface ProgramChannel extends AsyncDisposable {
  readonly channel: Channel;
  /** Holds all that the host keeps on disk about it. */
  readonly dataDirectory: string;
}

/** A channel whose program is a real one, behind what the product puts before all of them. */
export async function openProgramChannel(options: OpenProgramOptions): Promise<ProgramChannel> {
  const { command, config, longestDelayMs, log = createSilentLog() } = options;
  const dataDirectory = await mkdtemp(join(tmpdir(), "opentalon-test-"));
  const clock = systemClock;
  const programs = createChannelPrograms({ environment: process.env, dataDirectory, clock, log });
  const name = "one";
  const channel = createProcessChannel({
    name,
    kind: "binary",
    config,
    openEndpoint: (signal) =>
      launchChannel({ name, command, ownsTerminal: false, signal }, { ...programs, clock, log }),
    longestDelayMs,
    maxMessageBytes: programs.maxMessageBytes,
    clock,
    log,
  });
  return {
    channel,
    dataDirectory,
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      await programs[Symbol.asyncDispose]();
      await rm(dataDirectory, { recursive: true });
    },
  };
}
