import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { findFreePort } from "../../base/testing/find-free-port.ts";
import type { Channel } from "../../domain/channel.ts";
import { createRecentLines } from "../../plugins/recent-lines.ts";
import { type ChannelBench, describeChannelContract } from "../channel.contract.ts";
import type { FakeChannelOptions } from "../testing/fake-channel-options.ts";
import { createFakeChat } from "../testing/fake-chat.ts";
import { openFakeChannel } from "../testing/open-fake-channel.ts";
import { createProcessChannel } from "./process-channel.ts";
import { createRemoteEndpoint } from "./remote-endpoint.ts";
import { toProgramBench } from "./testing/program-bench.ts";

const fake: FakeChannelOptions = { liveUpdates: true, awaitsReaders: true };

async function openProgram(more: FakeChannelOptions): Promise<ChannelBench> {
  const lines = createRecentLines(systemClock);
  const log = lines.record(createSilentLog());
  const opened = await openFakeChannel({ fake: { ...fake, ...more }, longestDelayMs: 100, log });
  const { chat } = opened;
  return {
    ...toProgramBench({
      chat,
      lines,
      kill: () => void process.kill(chat.pids.at(-1) ?? 0, "SIGKILL"),
    }),
    get channel() {
      return opened.channel;
    },
    reopen: opened.reopen,
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

async function openRemote(): Promise<ChannelBench> {
  const lines = createRecentLines(systemClock);
  const chat = await createFakeChat();
  const port = await findFreePort();
  const [program = "", ...args] = chat.command({ ...fake, listen: "tcp", port });
  const run = (): ChildProcess => spawn(program, args, { stdio: "ignore" });
  let server = run();
  await untilReached(port);
  const open = (): Channel =>
    createProcessChannel({
      name: "far",
      kind: "grpc",
      config: {},
      openEndpoint: createRemoteEndpoint({ name: "far", url: `grpc://127.0.0.1:${port}` }),
      longestDelayMs: 100,
      maxMessageBytes: 2 ** 25,
      clock: systemClock,
      log: lines.record(createSilentLog()),
    });
  let channel = open();
  let isDisposed = false;
  const dispose = async (): Promise<void> => {
    await channel[Symbol.asyncDispose]();
    isDisposed = true;
  };
  return {
    ...toProgramBench({
      chat,
      lines,
      kill: () => {
        server.kill("SIGKILL");
        server = run();
      },
    }),
    // The program is not ours: what we held of it was its connections.
    isReleased: () => isDisposed,
    get channel() {
      return { ...channel, [Symbol.asyncDispose]: dispose };
    },
    reopen: async () => {
      await channel[Symbol.asyncDispose]();
      return (channel = open());
    },
    [Symbol.asyncDispose]: async () => {
      await dispose();
      const ended = once(server, "exit");
      server.kill("SIGKILL");
      await ended;
      await chat[Symbol.asyncDispose]();
    },
  };
}

async function untilReached(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const lacks = {
  forgery: "OpenTalon starts it, or dials it",
  replay: "OpenTalon starts it, or dials it",
};

describeChannelContract("a program over gRPC", () => openProgram({}), lacks);
describeChannelContract(
  "a program of the first generation",
  () => openProgram({ generation: "json" }),
  { ...lacks, "live text": "the first generation knows only whole answers" },
);
describeChannelContract("a program elsewhere", openRemote, lacks);
