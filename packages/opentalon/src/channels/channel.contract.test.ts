import type { EventEmitter } from "node:events";
import { expect, vi } from "vitest";
import { createManualClock, systemClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { type ChannelBench, describeChannelContract } from "./channel.contract.ts";
import { createConsoleChannel } from "./console/console-channel.ts";
import { createFakeTerminal } from "./testing/fake-terminal.ts";
import { startFakePlatform } from "./testing/fake-platform.ts";
import { createMemoryChat } from "./testing/memory-chat.ts";
import { startPlainDoor } from "./testing/plain-door.ts";
import { dialAsPeer, type Frame, waitForFrames } from "./testing/socket-peer.ts";
import { startSocketPlatform } from "./testing/socket-platform.ts";
import { createChatInlet } from "./webchat/chat-inlet.ts";
import type { ChatEntry } from "./webchat/transcript.ts";
import { createWebChatChannel } from "./webchat/webchat-channel.ts";
import { createWebhookChannel } from "./webhook-channel.ts";
import { createWebhookInlet } from "./webhook-inlet.ts";
import { createSocketInlet } from "./websocket/socket-inlet.ts";
import { createWebSocketChannel } from "./websocket/websocket-channel.ts";

const log = createSilentLog();

function openConsole(isTerminal: boolean): ChannelBench {
  const terminal = createFakeTerminal({ isTerminal });
  const clock = createManualClock();
  const channel = createConsoleChannel({ name: "console", terminal, config: {}, clock, log });
  const isAnswer = (line: string): boolean => line !== "" && !/^[>…(]|OpenTalon|Ctrl/.test(line);
  return {
    channel,
    say: async (content) => {
      terminal.input.write(isTerminal ? `${content}\r` : `${content}\n`);
    },
    readReplies: () =>
      (isTerminal ? terminal.screen() : terminal.written().split("\n")).filter(isAnswer),
    sawRefusal: () => /disk is full/.test(terminal.written() + terminal.noticed()),
    isReleased: () => isLetGo(terminal.input) && isLetGo(terminal.output),
    [Symbol.asyncDispose]: async () => channel[Symbol.asyncDispose](),
  };
}

/** Nothing of ours listens any more: Node's decoder of keys leaves at the next key, its `onend` stays for ever. */
function isLetGo(stream: EventEmitter): boolean {
  const events = ["close", "end", "error", "keypress", "resize"];
  const listeners = events.flatMap((event) => stream.listeners(event));
  return listeners.every(({ name }) => name === "onend");
}

async function openWebhook(): Promise<ChannelBench> {
  const inlet = createWebhookInlet();
  const door = await startPlainDoor(inlet.routes);
  const platform = await startFakePlatform();
  const channel = createWebhookChannel({
    name: "web",
    url: platform.url,
    config: {},
    inlet,
    doorChecksCallers: true,
    clock: systemClock,
    log,
  });
  let count = 0;
  let sawRefusal = false;
  return {
    channel,
    say: async (content) => {
      count += 1;
      const response = await fetch(`${door.url}/api/channels/web/inbound`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ id: `m${count}`, conversation_id: "c", sender_id: "u", content }),
      });
      sawRefusal ||= !response.ok;
      await response.body?.cancel();
    },
    readReplies: () => platform.posted.map(({ document }) => String(document["content"])),
    sawRefusal: () => sawRefusal,
    isReleased: () => platform.openConnections() === 0,
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      await door[Symbol.asyncDispose]();
      await platform[Symbol.asyncDispose]();
    },
  };
}

describeChannelContract("the console in a pipe", async () => openConsole(false));
describeChannelContract("the console at a terminal", async () => openConsole(true));
describeChannelContract("a webhook", openWebhook);

async function openDialled(): Promise<ChannelBench> {
  const platform = await startSocketPlatform();
  const channel = createWebSocketChannel({
    name: "bridge",
    url: platform.url,
    config: { token: "a-token-of-good-length", acks: true },
    inlet: createSocketInlet(),
    doorChecksCallers: true,
    clock: systemClock,
    log,
  });
  let count = 0;
  let sawRefusal = false;
  const heard = new Map<unknown, () => void>();
  const replies: string[] = [];
  platform.onFrame((frame, answer) => {
    if (frame["type"] === "identify") answer({ type: "identify", acks: true });
    if (frame["type"] === "message") {
      replies.push(String(frame["content"]));
      answer({ type: "ack", id: frame["delivery_id"] });
    }
    if (frame["type"] === "error") sawRefusal = true;
    if (frame["type"] === "error" || frame["type"] === "ack") heard.get(frame["id"])?.();
  });
  return {
    channel,
    say: async (content) => {
      await vi.waitFor(() => expect(platform.openConnections()).toBe(1));
      const id = `m${(count += 1)}`;
      const answered = new Promise<void>((resolve) => heard.set(id, resolve));
      platform.send({ id, conversation_id: "c", sender_id: "u", content });
      await answered;
    },
    readReplies: () => replies,
    sawRefusal: () => sawRefusal,
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
  const token = "a-token-of-good-length";
  const channel = createWebSocketChannel({
    name: "bridge",
    config: { token },
    inlet,
    doorChecksCallers: false,
    clock: systemClock,
    log,
  });
  const peer = await dialAsPeer(`${door.url}/api/channels/ws`);
  peer.send({ type: "identify", id: "bridge", token, acks: true });
  peer.onFrame(({ type, delivery_id: id }) => {
    if (type === "message") peer.send({ type: "ack", id });
  });
  let count = 0;
  return {
    channel,
    say: async (content) => {
      const id = `m${(count += 1)}`;
      const isAnswer = ({ type, id: about }: Frame): boolean => about === id && type !== "message";
      peer.send({ type: "message", id, conversation_id: "c", sender_id: "u", content });
      await vi.waitFor(() => expect(peer.frames.some(isAnswer)).toBe(true), 5_000);
    },
    readReplies: () => peer.ofType("message").map(({ content }) => String(content)),
    sawRefusal: () => peer.ofType("error").length > 0,
    isReleased: () => door.openSockets() === 0,
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      peer.close();
      await door[Symbol.asyncDispose]();
    },
  };
}

async function openWebChat(): Promise<ChannelBench> {
  const inlet = createChatInlet();
  const door = await startPlainDoor(inlet.routes, [inlet.socketRoute]);
  const channel = createWebChatChannel({
    name: "web",
    config: {},
    inlet,
    doorChecksCallers: true,
    doorToken: undefined,
    memory: createMemoryChat(),
    clock: systemClock,
    log,
  });
  const peer = await dialAsPeer(`${door.url}/chat/web/socket`);
  peer.send({ type: "hello" });
  await waitForFrames(peer, "welcome");
  let count = 0;
  return {
    channel,
    say: async (content) => {
      const id = `message-${(count += 1)}`;
      peer.send({ type: "message", id, content });
      await vi.waitFor(
        () => expect(peer.frames.some((frame) => frame["id"] === id)).toBe(true),
        5_000,
      );
    },
    readReplies: () =>
      peer
        .ofType("entry")
        .map(({ entry }) => entry as ChatEntry)
        .filter(({ from }) => from === "assistant")
        .map(({ content }) => content),
    sawRefusal: () => peer.ofType("error").length > 0,
    isReleased: () => door.openSockets() === 0,
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      peer.close();
      await door[Symbol.asyncDispose]();
    },
  };
}

describeChannelContract("a WebSocket we dial", openDialled);
describeChannelContract("a WebSocket that dials us", openInbound);
describeChannelContract("a web chat", openWebChat);
