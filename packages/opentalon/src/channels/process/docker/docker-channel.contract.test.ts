import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { systemClock } from "../../../base/clock.ts";
import { createSilentLog } from "../../../base/create-log.ts";
import { createRecentLines } from "../../../plugins/recent-lines.ts";
import { type ChannelBench, describeChannelContract } from "../../channel.contract.ts";
import { createFakeChat, type FakeChat } from "../../testing/fake-chat.ts";
import { createChannelPrograms } from "../channel-programs.ts";
import { createProcessChannel } from "../process-channel.ts";
import { toProgramBench } from "../testing/program-bench.ts";
import { openContainerEndpoint } from "./open-container-endpoint.ts";
import {
  findEngineProblem,
  type PrivateEngine,
  startPrivateEngine,
} from "./testing/private-engine.ts";
import { startStubEngine } from "./testing/stub-engine.ts";

const fake = { liveUpdates: true, awaitsReaders: true };
const missing = findEngineProblem();

interface Engine {
  readonly host: string;
  readonly image: string;
  readonly kill: () => void;
  readonly countContainers: () => number;
}

/** A channel in a container of an engine, whose people are at the other end of a chat. */
async function openContainer(
  chat: FakeChat,
  engine: Engine,
  close: () => Promise<void>,
): Promise<ChannelBench> {
  const dataDirectory = await mkdtemp(join(tmpdir(), "opentalon-test-"));
  const lines = createRecentLines(systemClock);
  const log = lines.record(createSilentLog());
  const environment = { ...process.env, DOCKER_HOST: engine.host };
  const programs = createChannelPrograms({ environment, dataDirectory, clock: systemClock, log });
  const open = () =>
    createProcessChannel({
      name: "boxed",
      kind: "docker",
      config: {},
      openEndpoint: async (signal) => {
        await programs.tidy();
        return openContainerEndpoint(
          { name: "boxed", image: engine.image, config: {}, settings: { network: false }, signal },
          { ...programs, clock: systemClock, log },
        );
      },
      longestDelayMs: 100,
      maxMessageBytes: programs.maxMessageBytes,
      clock: systemClock,
      log,
    });
  let channel = open();
  return {
    ...toProgramBench({ chat, lines, kill: engine.kill }),
    isReleased: () => chat.connections() === 0 && engine.countContainers() === 0,
    get channel() {
      return channel;
    },
    reopen: async () => {
      await channel[Symbol.asyncDispose]();
      return (channel = open());
    },
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      await programs[Symbol.asyncDispose]();
      await close();
      await chat[Symbol.asyncDispose]();
      await rm(dataDirectory, { recursive: true });
    },
  };
}

async function openStub(): Promise<ChannelBench> {
  const chat = await createFakeChat();
  const stub = await startStubEngine({ command: chat.command(fake), hasImage: true });
  const engine = {
    host: stub.host,
    image: "channel:1",
    kill: () => void process.kill(chat.pids.at(-1) ?? 0, "SIGKILL"),
    countContainers: chat.connections,
  };
  return openContainer(chat, engine, async () => stub[Symbol.asyncDispose]());
}

let real: PrivateEngine | undefined;
let image = "";

async function openReal(): Promise<ChannelBench> {
  if (real === undefined) throw new Error("the engine does not run");
  const { client, host } = real;
  const chat = await createFakeChat();
  const closing = new AbortController();
  let newest: string | undefined;
  let containers = 0;
  /** Nothing of ours gets into a container but by the folder it shares with us. */
  const visitEach = async (): Promise<void> => {
    const visited = new Set<string>();
    while (!closing.signal.aborted) {
      const all = await client.listContainers({ all: true });
      containers = all.length;
      for (const { Id, Mounts } of all.filter(({ Id }) => !visited.has(Id))) {
        if (!(await chat.visit(join(Mounts[0]?.Source ?? "", "people.sock")))) continue;
        visited.add((newest = Id));
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const visiting = visitEach();
  const engine = {
    host,
    image,
    kill: () => void client.getContainer(newest ?? "").kill(),
    countContainers: () => containers,
  };
  return openContainer(chat, engine, async () => {
    closing.abort();
    await visiting;
  });
}

const lacks = {
  forgery: "OpenTalon starts it",
  replay: "OpenTalon starts it",
};

if (missing === undefined) {
  beforeAll(async () => {
    real = await startPrivateEngine();
    image = await real.makeImage({ ...fake, chat: "beside" });
  }, 60_000);
  afterAll(() => real?.[Symbol.asyncDispose](), 60_000);
  describeChannelContract("a container of a real engine", openReal, lacks);
} else describeChannelContract(`a container of a stub engine, since ${missing}`, openStub, lacks);
