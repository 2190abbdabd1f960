import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import type { Log } from "../../base/log.ts";
import type { Channel } from "../../domain/channel.ts";
import { createChannelPrograms, type ProgramSettings } from "../process/channel-programs.ts";
import { launchChannel } from "../process/launch-channel.ts";
import { createProcessChannel } from "../process/process-channel.ts";
import type { FakeChannelOptions } from "./fake-channel-options.ts";
import { createFakeChat, type FakeChat } from "./fake-chat.ts";

export interface OpenFakeOptions {
  readonly fake?: FakeChannelOptions;
  readonly settings?: ProgramSettings;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly readyTimeoutMs?: number;
  readonly longestDelayMs?: number;
  readonly log?: Log;
}

/** A channel whose program is a fake, with people of its own. */
export interface FakeChannel extends AsyncDisposable {
  readonly channel: Channel;
  /** Ends the channel and makes another one with all it had kept. */
  readonly reopen: () => Promise<Channel>;
  readonly chat: FakeChat;
  /** Holds all that the host keeps on disk about it. */
  readonly dataDirectory: string;
}

export async function openFakeChannel(options: OpenFakeOptions = {}): Promise<FakeChannel> {
  const {
    fake = {},
    settings = {},
    config = {},
    readyTimeoutMs,
    longestDelayMs,
    log = createSilentLog(),
  } = options;
  const dataDirectory = await mkdtemp(join(tmpdir(), "opentalon-test-"));
  const chat = await createFakeChat();
  const clock = systemClock;
  const programs = createChannelPrograms({ environment: process.env, dataDirectory, clock, log });
  const { ownsTerminal = false, env, limits, sandbox, network } = settings;
  const open = (): Channel =>
    createProcessChannel({
      name: "fake-one",
      kind: "binary",
      config,
      openEndpoint: (signal) =>
        launchChannel(
          {
            name: "fake-one",
            command: chat.command(fake),
            env,
            limits,
            sandbox,
            network,
            ownsTerminal,
            readyTimeoutMs,
            signal,
          },
          { ...programs, clock, log },
        ),
      ownsTerminal,
      longestDelayMs,
      maxMessageBytes: programs.maxMessageBytes,
      clock,
      log,
    });
  let channel = open();
  return {
    get channel() {
      return channel;
    },
    reopen: async () => {
      await channel[Symbol.asyncDispose]();
      return (channel = open());
    },
    chat,
    dataDirectory,
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      await programs[Symbol.asyncDispose]();
      await chat[Symbol.asyncDispose]();
      await rm(dataDirectory, { recursive: true });
    },
  };
}
