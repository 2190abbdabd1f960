import { expect, it, onTestFinished, vi } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { ChannelError, SourceError } from "../base/errors.ts";
import { type Channel, type ChannelRoute, plainCapabilities } from "../domain/channel.ts";
import type { PreparedProgram } from "../plugins/plugin-entry.ts";
import { createLateChannel } from "./late-channel.ts";
import { createRecordingHost } from "./testing/recording-host.ts";

const program: PreparedProgram = { command: ["./mine"] };
const message = {
  channel: "mine",
  conversationId: "c",
  threadId: "",
  content: "hello",
  files: [],
  metadata: {},
};
const route: ChannelRoute = {
  method: "POST",
  path: "/hook",
  port: undefined,
  authentication: "own",
  handle: async () => ({ status: 200, contentType: "text/plain", body: "" }),
};

/** A channel that notes what is done with it. */
function createNotedChannel(routes: readonly ChannelRoute[] = []) {
  const notes: string[] = [];
  const channel: Channel = {
    name: "mine",
    kind: "noted",
    routes,
    knowsRepeats: true,
    capabilities: () => ({ ...plainCapabilities, files: true }),
    start: async () => void notes.push("start"),
    stopIntake: async () => void notes.push("stop intake"),
    send: async ({ content }) => void notes.push(`send ${content}`),
    findProblem: () => "noted problem",
    [Symbol.asyncDispose]: async () => void notes.push("dispose"),
  };
  return { channel, notes };
}

/** A late channel whose sources come when the test says so. */
function open(made: Channel, create: () => Promise<Channel> = async () => made) {
  const clock = createManualClock();
  const waiting: {
    readonly bring: (found: PreparedProgram) => void;
    readonly fail: (error: Error) => void;
    readonly build: () => void;
  }[] = [];
  const channel = createLateChannel({
    name: "mine",
    prepare: (signal, build) =>
      new Promise((bring, fail) => {
        signal.addEventListener("abort", () => fail(new Error("given up")), { once: true });
        waiting.push({ bring, fail, build });
      }),
    create,
    clock,
    log: createSilentLog(),
  });
  onTestFinished(() => channel[Symbol.asyncDispose]());
  return { channel, clock, tries: waiting, host: createRecordingHost() };
}

it("is the channel itself when that is there in time, with its routes", async () => {
  const { channel: made, notes } = createNotedChannel([route]);
  const { channel, tries, host } = open(made);
  const settled = channel.settle(10_000);
  expect(channel.findProblem?.()).toBe("it is being fetched");
  tries[0]?.bring(program);
  await settled;
  expect(channel.routes).toEqual([route]);
  expect(channel).toMatchObject({ kind: "noted", knowsRepeats: true });
  expect(channel.capabilities().files).toBe(true);
  expect(channel.findProblem?.()).toBe("noted problem");
  await channel.start(host);
  await channel.send(message, "d1");
  await channel.stopIntake();
  await channel.send({ ...message, content: "bye" }, "d2");
  expect(notes).toEqual(["start", "send hello", "stop intake", "send bye"]);
});

it("splits and words replies as the channel does, and by length alone where that has no way of its own", async () => {
  const { channel: made } = createNotedChannel();
  const capabilities = () => ({ ...plainCapabilities, maxMessageLength: 5 });
  const splitting: Channel = {
    ...made,
    capabilities,
    split: (whole) => ["one", "two"].map((content) => ({ ...whole, content })),
    formatWords: (words) => `*${words}*`,
  };
  const contentsOf = async (inner: Channel): Promise<unknown> => {
    const { channel, tries } = open(inner);
    expect(channel.split?.(message)).toEqual([message]);
    expect(channel.formatWords?.("words")).toBe("words");
    tries[0]?.bring(program);
    await channel.settle(10_000);
    const split = channel.split?.({ ...message, content: "three four" });
    return [split?.map(({ content }) => content), channel.formatWords?.("words")];
  };
  expect(await contentsOf(splitting)).toEqual([["one", "two"], "*words*"]);
  expect(await contentsOf({ ...made, capabilities })).toEqual([["three", "four"], "words"]);
});

it("starts by itself when it comes later, and nothing is delivered before", async () => {
  const { channel: made, notes } = createNotedChannel();
  const { channel, tries, host } = open(made);
  const settled = channel.settle(10_000);
  tries[0]?.build();
  await settled;
  expect(channel.findProblem?.()).toBe("it is being built");
  await channel.start({ ...host, toolsChanged: () => notes.push("tools changed") });
  await expect(channel.send(message, "d1")).rejects.toMatchObject({
    outcome: "not-delivered",
    message: expect.stringContaining("it is being built") as string,
  });
  expect(notes).toEqual([]);
  tries[0]?.bring(program);
  await vi.waitFor(() => expect(notes).toEqual(["tools changed", "start"]));
  await channel.send(message, "d1");
  expect(notes).toEqual(["tools changed", "start", "send hello"]);
});

it("is tried again with growing pauses, and a start waits for it only so long", async () => {
  const { channel: made } = createNotedChannel();
  const { channel, clock, tries } = open(made);
  const settled = channel.settle(10_000);
  clock.advance(10_000);
  await settled;
  tries[0]?.fail(new SourceError("SOURCE_UNAVAILABLE", "nobody is there"));
  await vi.waitFor(() => expect(channel.findProblem?.()).toMatch(/^nobody is there; trying again/));
  expect(tries).toHaveLength(1);
  clock.advance(1_000);
  await vi.waitFor(() => expect(tries).toHaveLength(2));
  tries[1]?.fail(new SourceError("SOURCE_UNAVAILABLE", "nobody is there"));
  await vi.waitFor(() => expect(channel.findProblem?.()).toMatch(/again in 2|again in 1\.\d/));
  clock.advance(2_000);
  await vi.waitFor(() => expect(tries).toHaveLength(3));
  tries[2]?.bring(program);
  await vi.waitFor(() => expect(channel.kind).toBe("noted"));
});

it("does not run when it wants addresses at the door that was opened without them", async () => {
  const { channel: made, notes } = createNotedChannel([route]);
  const { channel, clock, tries, host } = open(made);
  const settled = channel.settle(10_000);
  clock.advance(10_000);
  await settled;
  expect(channel.routes).toEqual([]);
  await channel.start(host);
  tries[0]?.bring(program);
  await vi.waitFor(() => expect(channel.findProblem?.()).toContain("start OpenTalon again"));
  expect(notes).toEqual(["dispose"]);
});

it("is refused when what was built can never be used", async () => {
  const { channel: made } = createNotedChannel();
  const error = new ChannelError("CHANNEL_MISCONFIGURED", "set config.token");
  const { channel, tries } = open(made, () => Promise.reject(error));
  const settled = channel.settle(10_000);
  tries[0]?.bring(program);
  expect(await settled).toBe(error);
  expect(tries).toHaveLength(1);
});

it("ends while it is being built", async () => {
  const { channel: made, notes } = createNotedChannel();
  const { channel, tries, host } = open(made);
  await channel.start(host);
  await channel.stopIntake();
  tries[0]?.bring(program);
  await channel[Symbol.asyncDispose]();
  expect(notes).toEqual([]);
});
