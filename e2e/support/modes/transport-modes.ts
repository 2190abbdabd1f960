import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findFreePort } from "../../../packages/opentalon/src/base/testing/find-free-port.ts";
import { startStubEngine } from "../../../packages/opentalon/src/channels/process/docker/testing/stub-engine.ts";
import type { FakeChannelOptions } from "../../../packages/opentalon/src/channels/testing/fake-channel-options.ts";
import { createFakeChat } from "../../../packages/opentalon/src/channels/testing/fake-chat.ts";
import {
  dialAsPeer,
  type SocketPeer,
  waitForFrames,
} from "../../../packages/opentalon/src/channels/testing/socket-peer.ts";
import { startSocketPlatform } from "../../../packages/opentalon/src/channels/testing/socket-platform.ts";
import { root, type Scratch } from "../scratch.ts";
import { createWebhookPeer } from "../webhook-peer.ts";
import type { Mode, ModeMessage } from "./mode.ts";

const token = "a-channel-token-of-good-length";

const toFrame = ({ id, from, content }: ModeMessage) => ({
  id: `m${id}`,
  conversation_id: `room of ${from}`,
  sender_id: from,
  content,
});

const plainNames = { stranger: "stranger", listed: () => "listed" };

export async function createWebhookMode(): Promise<Mode> {
  let door = "";
  const peer = await createWebhookPeer({ channel: "webhook", door: () => door });
  return {
    ...plainNames,
    name: "webhook",
    entry: { plugin: peer.url },
    connect: async (next) => {
      door = next;
    },
    deliver: async ({ id, from, content }) => {
      await peer.post({ id: `m${id}`, conversation: from, sender: from, content });
    },
    texts: () => peer.arrived.map(({ content }) => content),
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  };
}

export async function createInboundMode(): Promise<Mode> {
  let peer: SocketPeer | undefined;
  const texts: string[] = [];
  return {
    ...plainNames,
    name: "dials-us",
    entry: { plugin: "ws://inbound", config: { token } },
    connect: async (door) => {
      const next = await dialAsPeer(`http://${door}/api/channels/ws`);
      next.send({ type: "identify", id: "dials-us", token, acks: true });
      next.onFrame(({ type, content, delivery_id: id }) => {
        if (type !== "message") return;
        texts.push(String(content));
        next.send({ type: "ack", id });
      });
      await waitForFrames(next, "identified");
      peer = next;
    },
    deliver: async (message) => peer?.send(toFrame(message)),
    texts: () => texts,
    [Symbol.asyncDispose]: async () => peer?.close(),
  };
}

export async function createDialledMode(): Promise<Mode> {
  const platform = await startSocketPlatform();
  platform.onFrame(({ type, delivery_id: id }, answer) => {
    if (type === "identify") answer({ type: "identify", acks: true });
    if (type === "message") answer({ type: "ack", id });
  });
  return {
    ...plainNames,
    name: "we-dial",
    entry: { plugin: platform.url.href, config: { token } },
    connect: async () => {
      while (platform.openConnections() === 0)
        await new Promise((resolve) => setTimeout(resolve, 10));
    },
    deliver: async (message) => platform.send(toFrame(message)),
    texts: () =>
      platform.frames
        .filter(({ type }) => type === "message")
        .map(({ content }) => String(content)),
    [Symbol.asyncDispose]: () => platform[Symbol.asyncDispose](),
  };
}

/** Two visitors, each with a page of their own. */
export async function createWebChatMode(): Promise<Mode> {
  const pages = new Map<ModeMessage["from"], SocketPeer>();
  const sessions = new Map<ModeMessage["from"], string>();
  const texts = new Set<string>();
  const open = async (from: ModeMessage["from"], door: string): Promise<void> => {
    const page = await dialAsPeer(`http://${door}/chat/web-chat/socket`);
    page.onFrame((frame) => {
      const entry = frame["entry"] as { from?: string; content?: string } | undefined;
      if (entry?.from === "assistant") texts.add(entry.content ?? "");
    });
    page.send({ type: "hello", token, session: sessions.get(from) ?? "", last: 0 });
    const [welcome] = await waitForFrames(page, "welcome");
    sessions.set(from, String(welcome?.["session"]));
    pages.set(from, page);
  };
  /** A sender is who holds the session of a conversation. */
  const toSender = (from: ModeMessage["from"]): string => sessions.get(from)?.split(".")[0] ?? "";
  return {
    name: "web-chat",
    entry: { plugin: "webchat", config: { token } },
    get stranger() {
      return toSender("stranger");
    },
    listed: () => toSender("listed"),
    connect: async (door) => {
      for (const from of ["stranger", "listed"] as const) await open(from, door);
    },
    deliver: async ({ id, from, content }) =>
      pages.get(from)?.send({ type: "message", id: `message-${id}`, content }),
    texts: () => [...texts],
    [Symbol.asyncDispose]: async () => {
      for (const page of pages.values()) page.close();
    },
  };
}

type ProgramWay = "process" | "elsewhere" | "container";

export interface ProgramModeOptions {
  readonly name: string;
  readonly way: ProgramWay;
  readonly scratch: Scratch;
  readonly fake?: FakeChannelOptions;
}

/** A program of the tests, started as a process or in a container of a stub engine, or running elsewhere. */
export async function createProgramMode(
  options: ProgramModeOptions,
): Promise<Mode & { readonly environment?: Readonly<Record<string, string>> }> {
  const { name, way, scratch, fake = {} } = options;
  const chat = await createFakeChat();
  const stack = new AsyncDisposableStack();
  stack.use(chat);
  let entry: Readonly<Record<string, unknown>>;
  let environment: Readonly<Record<string, string>> = {};
  switch (way) {
    case "process":
      entry = writeProgram(scratch, name, { ...fake, chat: chat.path });
      break;
    case "elsewhere": {
      const port = await findFreePort();
      const [program = "", ...rest] = chat.command({ ...fake, listen: "tcp", port });
      const child = spawn(program, rest, { stdio: "ignore" });
      stack.defer(async () => {
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      });
      entry = { plugin: `grpc://127.0.0.1:${port}` };
      break;
    }
    case "container": {
      const engine = await startStubEngine({ command: chat.command(fake), hasImage: true });
      stack.defer(async () => engine[Symbol.asyncDispose]());
      environment = { DOCKER_HOST: engine.host };
      entry = { plugin: "docker://channel:1" };
    }
  }
  return {
    ...plainNames,
    name,
    entry,
    environment,
    connect: async () => {},
    deliver: ({ id, from, content }) =>
      chat.say(content, {
        conversation_id: from,
        sender_id: from,
        metadata: { message_id: `m${id}` },
      }),
    texts: () => chat.sent.map(({ content }) => content),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** An entry for the fake channel of the unit tests, as a program in a folder of the test. */
function writeProgram(
  { folder }: Scratch,
  name: string,
  options: FakeChannelOptions,
): Readonly<Record<string, unknown>> {
  const script = join(root, "packages/opentalon/src/channels/testing/fake-channel.ts");
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\nexec "${process.execPath}" "${script}" "$FAKE_CHANNEL"\n`);
  chmodSync(path, 0o755);
  return { plugin: path, env: [`FAKE_CHANNEL=${JSON.stringify(options)}`] };
}
