import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { systemClock } from "../../../base/clock.ts";
import { createSilentLog } from "../../../base/create-log.ts";
import type { Log } from "../../../base/log.ts";
import { createRecentLines, type RecentLines } from "../../../plugins/recent-lines.ts";
import type { Channel } from "../../../domain/channel.ts";
import { createFakeChat } from "../../testing/fake-chat.ts";
import { createRecordingHost, type RecordingHost } from "../../testing/recording-host.ts";
import { createChannelPrograms, type ProgramSettings } from "../channel-programs.ts";
import { createProgramChannel } from "../create-program-channel.ts";
import { instanceLabel } from "./container-engine.ts";
import {
  findEngineProblem,
  type PrivateEngine,
  startPrivateEngine,
} from "./testing/private-engine.ts";
import { startStubEngine, type StubEngineOptions } from "./testing/stub-engine.ts";

const patient = { timeout: 60_000 };

interface Opened {
  readonly channel: Channel;
  readonly host: RecordingHost;
  readonly lines: RecentLines;
  readonly dataDirectory: string;
}

interface OpenOptions {
  readonly image: string;
  readonly dockerHost: string;
  readonly settings?: ProgramSettings;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** A channel in a container, started; ended with the test. */
async function open({
  image,
  dockerHost,
  settings = {},
  config = {},
}: OpenOptions): Promise<Opened> {
  const dataDirectory = await mkdtemp(join(tmpdir(), "opentalon-test-"));
  const lines = createRecentLines(systemClock);
  const log: Log = lines.record(createSilentLog());
  const environment = { ...process.env, DOCKER_HOST: dockerHost };
  const programs = createChannelPrograms({ environment, dataDirectory, clock: systemClock, log });
  const channel = createProgramChannel({
    name: "boxed",
    address: { kind: "docker", image },
    config,
    settings,
    programs,
    clock: systemClock,
    log,
  });
  onTestFinished(async () => {
    await channel[Symbol.asyncDispose]();
    await programs[Symbol.asyncDispose]();
    await rm(dataDirectory, { recursive: true });
  });
  const host = createRecordingHost();
  await channel.start(host);
  return { channel, host, lines, dataDirectory };
}

const toReply = (content: string) => ({
  channel: "boxed",
  conversationId: "room",
  threadId: "",
  content,
  files: [],
  metadata: {},
});

const textOf = (lines: RecentLines): string =>
  lines
    .last(500)
    .map(({ text }) => text)
    .join("\n");

const missing = findEngineProblem();

describe.skipIf(missing !== undefined)(
  `a channel in a container of a real engine${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  { timeout: 120_000 },
  () => {
    let engine: PrivateEngine;
    beforeAll(async () => {
      engine = await startPrivateEngine();
    }, 60_000);
    afterAll(async () => engine[Symbol.asyncDispose](), 60_000);

    it("runs with nothing but its socket, within its bounds, and leaves nothing behind", async () => {
      const image = await engine.makeImage({ echo: true });
      const { channel, host, lines } = await open({
        image,
        dockerHost: engine.host,
        settings: {
          network: false,
          limits: { memoryMb: 256, processes: 64, openFiles: 256 },
          env: { MODE: "quiet" },
        },
      });
      await vi.waitFor(() => expect(host.contents()).toEqual(["here I am"]), patient);
      await channel.send(toReply("hello"), "d1");
      await vi.waitFor(() => expect(host.contents()).toEqual(["here I am", "heard hello"]));
      expect(textOf(lines)).toContain("running as 0");
      const [container] = await engine.client.listContainers();
      const { Config, HostConfig } = await engine.client
        .getContainer(container?.Id ?? "")
        .inspect();
      expect(Config.Env).toContain("MODE=quiet");
      expect(Config.Labels[instanceLabel]).toMatch(/^[0-9a-f]{16}:boxed$/);
      expect(HostConfig).toMatchObject({
        ReadonlyRootfs: true,
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges"],
        NetworkMode: "none",
        Memory: 256 * 2 ** 20,
        PidsLimit: 64,
        Privileged: false,
      });
      await channel[Symbol.asyncDispose]();
      expect(await engine.client.listContainers({ all: true })).toEqual([]);
    });

    it("is started again when its program dies, and says why meanwhile", async () => {
      const image = await engine.makeImage({ echo: true });
      const { channel, host } = await open({ image, dockerHost: engine.host });
      await vi.waitFor(() => expect(host.contents()).toEqual(["here I am"]), patient);
      await expect(channel.send(toReply("die"), "d1")).rejects.toMatchObject({
        outcome: "unknown",
      });
      await vi.waitFor(() => expect(host.contents()).toEqual(["here I am", "here I am"]), patient);
      expect(await engine.client.listContainers({ all: true })).toHaveLength(1);
    });

    it("runs as another user as well, in the first generation too", async () => {
      const image = await engine.makeImage({ echo: true, generation: "json" });
      const stream = await engine.client.buildImage(
        toDockerfile(`FROM ${image}\nUSER 1234:1234\n`),
        {
          t: "fake-user:1",
        },
      );
      await new Promise((resolve) => engine.client.modem.followProgress(stream, resolve));
      const { host, lines } = await open({ image: "fake-user:1", dockerHost: engine.host });
      await vi.waitFor(() => expect(host.contents()).toEqual(["here I am"]), patient);
      expect(textOf(lines)).toContain("running as 1234");
    });

    it("says with its last words why it does not start", async () => {
      const image = await engine.makeImage({ start: "crash" });
      const { channel } = await open({ image, dockerHost: engine.host });
      await vi.waitFor(
        () =>
          expect(channel.findProblem?.()).toMatch(
            /container of the channel "boxed" ended with exit code 3; its last words: error: the platform has no such token/,
          ),
        patient,
      );
    });
  },
);

/** A tar archive with one file, `Dockerfile`. */
function toDockerfile(text: string): NodeJS.ReadableStream {
  const header = Buffer.alloc(512);
  header.write("Dockerfile", 0);
  header.write("0000644\0", 100);
  header.write(`${text.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.fill(" ", 148, 156);
  header.write("0", 156);
  header.write("ustar\x0000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const body = Buffer.alloc(Math.ceil(text.length / 512) * 512);
  body.write(text);
  return Readable.from([Buffer.concat([header, body, Buffer.alloc(1_024)])]);
}

describe("a channel in a container", () => {
  const start = async (options: Partial<StubEngineOptions> = {}) => {
    const chat = await createFakeChat();
    const engine = await startStubEngine({ command: chat.command(), ...options });
    onTestFinished(async () => {
      await engine[Symbol.asyncDispose]();
      await chat[Symbol.asyncDispose]();
    });
    return { chat, engine };
  };

  it("is pulled when its image is not there, which the log tells, and runs", async () => {
    const { chat, engine } = await start();
    const { channel, host, lines, dataDirectory } = await open({
      image: "ghcr.io/someone/channel",
      dockerHost: engine.host,
      settings: { env: { MODE: "quiet" } },
    });
    await chat.say("hello");
    await vi.waitFor(() => expect(host.contents()).toEqual(["hello"]), patient);
    await channel.send(toReply("hi"), "d1");
    await vi.waitFor(() => expect(chat.sent.map(({ content }) => content)).toEqual(["hi"]));
    expect(textOf(lines)).toMatch(/not here and is pulled.*ghcr\.io\/someone\/channel:latest/);
    expect(engine.created[0]).toMatchObject({
      Image: "ghcr.io/someone/channel:latest",
      Env: ["MODE=quiet", "OPENTALON_CHANNEL_SOCK_DIR=/run/opentalon"],
    });
    await channel[Symbol.asyncDispose]();
    expect(engine.asked).toEqual(
      expect.arrayContaining(["POST /containers/c0/stop", "DELETE /containers/c0"]),
    );
    expect(await readdir(join(dataDirectory, "channel-processes/plugin-folders"))).toEqual([]);
  });

  it("says what the registry says when its image cannot be had", async () => {
    const { engine } = await start({ pullError: "pull access denied for someone/private" });
    const { channel } = await open({ image: "someone/private:2", dockerHost: engine.host });
    expect(channel.findProblem?.()).toMatch(
      /image someone\/private:2 cannot be pulled: pull access denied for someone\/private; check its name/,
    );
  });

  it("removes what an earlier run of the same data directory left behind, and nothing else", async () => {
    const { chat, engine } = await start({ hasImage: true, leftOvers: { other: "0000:boxed" } });
    const { host } = await open({ image: "channel:1", dockerHost: engine.host });
    await chat.say("hello");
    await vi.waitFor(() => expect(host.contents()).toEqual(["hello"]), patient);
    expect(engine.asked).not.toContain("DELETE /containers/other");
    const label = engine.created[0]?.Labels[instanceLabel] ?? "";
    expect(label).toMatch(/:boxed$/);
  });

  it("says what is missing when there is no engine", async () => {
    const { channel } = await open({
      image: "channel:1",
      dockerHost: "unix:///nowhere/docker.sock",
    });
    expect(channel.findProblem?.()).toMatch(
      /container engine at DOCKER_HOST does not run; start it/,
    );
    const { channel: other } = await open({ image: "channel:1", dockerHost: "ssh://host" });
    expect(other.findProblem?.()).toMatch(/DOCKER_HOST is not an address OpenTalon can use/);
  });
});
