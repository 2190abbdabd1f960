import { spawn } from "node:child_process";
import { once } from "node:events";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { findFreePort } from "../../base/testing/find-free-port.ts";
import { type ChannelBench, describeChannelContract } from "../channel.contract.ts";
import type { FakeChannelOptions } from "../testing/fake-channel-options.ts";
import { createFakeChat, type FakeChat } from "../testing/fake-chat.ts";
import { openFakeChannel } from "../testing/open-fake-channel.ts";
import { createProcessChannel } from "./process-channel.ts";
import { createRemoteEndpoint } from "./remote-endpoint.ts";

type Bench = Omit<ChannelBench, "channel" | typeof Symbol.asyncDispose>;

function toBench(chat: FakeChat): Bench {
  const isError = ({ metadata }: FakeChat["sent"][number]): boolean => metadata["type"] === "error";
  return {
    say: chat.say,
    readReplies: () =>
      chat.sent.filter((message) => !isError(message)).map(({ content }) => content),
    sawRefusal: () => chat.sent.some(isError),
    isReleased: () => chat.connections() === 0,
  };
}

async function openProgram(fake: FakeChannelOptions): Promise<ChannelBench> {
  const opened = await openFakeChannel({ fake });
  const { channel, chat } = opened;
  return {
    ...toBench(chat),
    channel,
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

async function openRemote(): Promise<ChannelBench> {
  const chat = await createFakeChat();
  const port = await findFreePort();
  const [program = "", ...args] = chat.command({ listen: "tcp", port });
  const server = spawn(program, args, { stdio: "ignore" });
  const ended = once(server, "exit");
  const channel = createProcessChannel({
    name: "far",
    kind: "grpc",
    config: {},
    openEndpoint: createRemoteEndpoint({ name: "far", url: `grpc://127.0.0.1:${port}` }),
    maxMessageBytes: 2 ** 25,
    clock: systemClock,
    log: createSilentLog(),
  });
  let isDisposed = false;
  const dispose = channel[Symbol.asyncDispose];
  return {
    ...toBench(chat),
    // The program is not ours: what we held of it was its connections.
    isReleased: () => isDisposed,
    channel: {
      ...channel,
      [Symbol.asyncDispose]: async () => {
        await dispose();
        isDisposed = true;
      },
    },
    [Symbol.asyncDispose]: async () => {
      await dispose();
      server.kill("SIGKILL");
      await ended;
      await chat[Symbol.asyncDispose]();
    },
  };
}

describeChannelContract("a program over gRPC", () => openProgram({}));
describeChannelContract("a program of the first generation", () =>
  openProgram({ generation: "json" }),
);
describeChannelContract("a program elsewhere", openRemote);
