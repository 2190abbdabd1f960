import { expect, vi } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { createSecret } from "../../base/secret.ts";
import type { Channel } from "../../domain/channel.ts";
import { type ChannelBench, describeChannelContract } from "../channel.contract.ts";
import { createMemoryChat } from "../testing/memory-chat.ts";
import { startPlainDoor } from "../testing/plain-door.ts";
import type { Frame } from "../testing/socket-peer.ts";
import {
  createSteadyPeer,
  dialAndSay,
  type Dialect,
  keepDialled,
  sayRaw,
} from "../testing/steady-peer.ts";
import { createChatInlet } from "./chat-inlet.ts";
import type { ChatEntry } from "./transcript.ts";
import { createWebChatChannel } from "./webchat-channel.ts";

const token = "the-token-of-the-chat";

/** As the page does: it shows its session, says what it has, and shows what assistants wrote. */
function createDialect(): Dialect {
  let session = "";
  let last = 0;
  const toEntry = (frame: Frame): ChatEntry | undefined =>
    frame["type"] === "entry" ? (frame["entry"] as ChatEntry) : undefined;
  return {
    greet: () => ({ type: "hello", token: session === "" ? token : "", session, last }),
    welcome: "welcome",
    toMessage: (id, content, more) => ({ type: "message", id, content, ...more }),
    readWelcome: (frame) => {
      session = String(frame["session"]);
      return (frame["entries"] as readonly ChatEntry[]).map((entry) => ({ type: "entry", entry }));
    },
    readReply: (frame) => {
      const entry = toEntry(frame);
      if (entry === undefined) return undefined;
      last = Math.max(last, entry.seq);
      return entry.from === "assistant" ? { id: entry.id, reply: { ...entry } } : undefined;
    },
  };
}

async function openWebChat(): Promise<ChannelBench> {
  const inlet = createChatInlet();
  const door = await startPlainDoor(inlet.routes, [inlet.socketRoute]);
  const url = `${door.url}/chat/web/socket`;
  const memory = createMemoryChat();
  const open = (): Channel =>
    createWebChatChannel({
      name: "web",
      config: { token: createSecret(token) },
      inlet,
      doorChecksCallers: false,
      doorToken: undefined,
      memory,
      clock: systemClock,
      log: createSilentLog(),
    });
  let channel = open();
  const peer = createSteadyPeer(createDialect());
  const dial = keepDialled(peer, url);
  const sayAndBeCutOff = async (bytes: Buffer): Promise<string> => {
    await peer.welcomed();
    const before = peer.ends.length;
    const socket = peer.socket();
    if (socket !== undefined) sayRaw(socket, bytes);
    await vi.waitFor(() => expect(peer.ends.length).toBeGreaterThan(before), 10_000);
    await peer.welcomed();
    return String(peer.ends.at(-1));
  };
  await peer.welcomed();
  return {
    get channel() {
      return channel;
    },
    say: peer.say,
    sayAll: async (contents) => {
      await Promise.all(contents.map((content) => peer.say(content)));
    },
    readReplies: () => peer.replies.map(({ content }) => String(content)),
    sawRefusal: () => peer.refusals.length > 0,
    isReleased: () => door.openSockets() === 0,
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
    reopen: async () => {
      await channel[Symbol.asyncDispose]();
      channel = open();
      dial();
      return channel;
    },
    breakConnection: async () => door.cut(),
    readLive: () =>
      peer.others
        .filter(({ type, kind }) => type === "live" && kind === "text")
        .map(({ text }) => String(text))
        .join(""),
    slowDown: peer.holdBack,
    sayForged: async () =>
      String(await dialAndSay(url, [{ type: "hello", token: "guessed", session: "", last: 0 }])),
    sayInvalidUtf8: () =>
      sayAndBeCutOff(Buffer.concat([Buffer.from('{"content":"'), Buffer.from([0x61, 0xff, 0x62])])),
    sayOversize: () => sayAndBeCutOff(Buffer.alloc(inlet.socketRoute.maxMessageBytes + 1, "x")),
    [Symbol.asyncDispose]: async () => {
      peer[Symbol.dispose]();
      await channel[Symbol.asyncDispose]();
      await door[Symbol.asyncDispose]();
    },
  };
}

describeChannelContract("a web chat", openWebChat, {
  threads: "a visitor has one conversation",
  replay: "what comes over a connection is not signed one by one",
});
