import { expect, vi } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import type { Channel } from "../../domain/channel.ts";
import { type ChannelBench, describeChannelContract } from "../channel.contract.ts";
import { startPlainDoor } from "../testing/plain-door.ts";
import type { Frame } from "../testing/socket-peer.ts";
import { startSocketPlatform } from "../testing/socket-platform.ts";
import {
  createSteadyPeer,
  dialAndSay,
  type Dialect,
  keepDialled,
  sayRaw,
  type SteadyPeer,
} from "../testing/steady-peer.ts";
import { createSocketInlet, maxFrameBytes } from "./socket-inlet.ts";
import { createWebSocketChannel } from "./websocket-channel.ts";

const token = "a-token-of-good-length";
const identify = { type: "identify", id: "bridge", token, acks: true, live: true };

const dialect = (welcome: string): Dialect => ({
  greet: () => identify,
  welcome,
  toMessage: (id, content, more) => ({
    type: "message",
    id,
    conversation_id: "c",
    sender_id: "u",
    content,
    ...more,
  }),
  readReply: (frame) =>
    frame["type"] === "message" ? { id: String(frame["delivery_id"]), reply: frame } : undefined,
  toAck: (id) => ({ type: "ack", id }),
});

type Shared = Omit<ChannelBench, "channel" | "reopen" | "isReleased" | typeof Symbol.asyncDispose>;

/** What both directions have in common: from here on it does not matter who dialled. */
function toShared(peer: SteadyPeer): Shared {
  const toTexts = (frames: readonly Frame[]): readonly string[] =>
    frames.map(({ content }) => String(content));
  /** Waits for our side to end the connection over what it was sent, and for the next one. */
  const sayAndBeCutOff = async (frame: Frame | Buffer): Promise<string> => {
    await peer.welcomed();
    const before = peer.ends.length;
    const socket = peer.socket();
    if (socket !== undefined) sayRaw(socket, frame);
    await vi.waitFor(() => expect(peer.ends.length).toBeGreaterThan(before), 10_000);
    await peer.welcomed();
    return String(peer.ends.at(-1));
  };
  return {
    say: peer.say,
    sayAll: async (contents) => {
      await Promise.all(contents.map((content) => peer.say(content)));
    },
    readReplies: () => toTexts(peer.replies),
    sawRefusal: () => peer.refusals.length > 0,
    sayInThread: (content, thread) => peer.say(content, { thread_id: thread }),
    readThread: (thread) => toTexts(peer.replies.filter((reply) => reply["thread_id"] === thread)),
    sayWithFile: async (content) => {
      const data = Buffer.from([0, 255, 10, 13, 128]);
      const file = {
        name: "a.bin",
        mime_type: "application/x-test",
        data: data.toString("base64"),
      };
      await peer.say(content, { files: [file] });
      return { name: "a.bin", mimeType: "application/x-test", data };
    },
    readFiles: () =>
      peer.replies
        .flatMap((reply) => (reply["files"] ?? []) as readonly { name: string; size: number }[])
        .map(({ name, size }) => ({ name, size })),
    redeliver: peer.sayAgain,
    readLive: () => toTexts(peer.others.filter(({ type }) => type === "delta")).join(""),
    slowDown: peer.holdBack,
    sayInvalidUtf8: () =>
      sayAndBeCutOff(Buffer.concat([Buffer.from('{"content":"'), Buffer.from([0x61, 0xff, 0x62])])),
    sayOversize: () => sayAndBeCutOff(Buffer.alloc(maxFrameBytes + 1, "x")),
  };
}

async function openDialled(): Promise<ChannelBench> {
  const platform = await startSocketPlatform();
  const peer = createSteadyPeer(dialect("identify"));
  platform.onConnection(peer.attach);
  const open = (): Channel =>
    createWebSocketChannel({
      name: "bridge",
      url: platform.url,
      config: { token, acks: true },
      inlet: createSocketInlet(),
      doorChecksCallers: true,
      clock: systemClock,
      log: createSilentLog(),
    });
  let channel = open();
  return {
    ...toShared(peer),
    get channel() {
      return channel;
    },
    reopen: async () => {
      await channel[Symbol.asyncDispose]();
      return (channel = open());
    },
    breakConnection: async () => platform.cut(),
    isReleased: () => platform.openConnections() === 0,
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      await platform[Symbol.asyncDispose]();
    },
  };
}

async function openInbound(): Promise<ChannelBench> {
  const inlet = createSocketInlet();
  const door = await startPlainDoor([], [inlet.route]);
  const url = `${door.url}/api/channels/ws`;
  const open = (): Channel =>
    createWebSocketChannel({
      name: "bridge",
      config: { token },
      inlet,
      doorChecksCallers: false,
      clock: systemClock,
      log: createSilentLog(),
    });
  let channel = open();
  const peer = createSteadyPeer(dialect("identified"));
  const dial = keepDialled(peer, url);
  return {
    ...toShared(peer),
    get channel() {
      return channel;
    },
    reopen: async () => {
      await channel[Symbol.asyncDispose]();
      channel = open();
      dial();
      return channel;
    },
    breakConnection: async () => door.cut(),
    sayForged: async () =>
      String(await dialAndSay(url, [{ ...identify, token: "guessed" }, { content: "forged" }])),
    isReleased: () => door.openSockets() === 0,
    [Symbol.asyncDispose]: async () => {
      peer[Symbol.dispose]();
      await channel[Symbol.asyncDispose]();
      await door[Symbol.asyncDispose]();
    },
  };
}

describeChannelContract("a WebSocket we dial", openDialled, {
  forgery: "whom we dialled is who is there",
  replay: "what comes over a connection is not signed one by one",
});
describeChannelContract("a WebSocket that dials us", openInbound, {
  replay: "what comes over a connection is not signed one by one",
});
