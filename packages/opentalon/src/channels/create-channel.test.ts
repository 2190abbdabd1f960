import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { type ChannelOptions, createChannel, type DoorAccess } from "./create-channel.ts";
import { createChannelPrograms } from "./process/channel-programs.ts";
import { createFakeTerminal } from "./testing/fake-terminal.ts";
import { createMemoryChat } from "./testing/memory-chat.ts";
import { createChatInlet } from "./webchat/chat-inlet.ts";
import { createWebhookInlet } from "./webhook-inlet.ts";
import { createSocketInlet } from "./websocket/socket-inlet.ts";

function openDoor(checksCallers: boolean): DoorAccess {
  return {
    webhooks: createWebhookInlet(),
    sockets: createSocketInlet(),
    chats: createChatInlet(),
    token: undefined,
    checksCallers,
  };
}

function create(
  address: string,
  more: Partial<ChannelOptions> = {},
): ReturnType<typeof createChannel> {
  const log = createSilentLog();
  const memory = createMemoryChat();
  const fixed = {
    name: "one",
    address,
    config: {},
    environment: {},
    memory,
    clock: systemClock,
    log,
  };
  return createChannel({ ...fixed, ...more });
}

describe("createChannel", () => {
  it("makes the channel its address asks for", async () => {
    await using console = await create("console", { terminal: createFakeTerminal() });
    expect(console).toMatchObject({ name: "one", kind: "console" });
    const door = openDoor(true);
    const kinds = {
      "https://example.com/x": "webhook",
      "wss://example.com/x": "websocket",
      "ws://inbound": "websocket",
      webchat: "webchat",
    };
    for (const [address, kind] of Object.entries(kinds)) {
      await using channel = await create(address, { door });
      expect(channel).toMatchObject({ name: "one", kind });
    }
  });

  it.each([
    ["./program", "binary"],
    ["grpc://host:1", "grpc"],
    ["grpcs://host:1", "grpc"],
    ["docker://image", "docker"],
  ])("makes a channel of its own program out of %s", async (address, kind) => {
    const log = createSilentLog();
    const shared = { environment: {}, dataDirectory: tmpdir(), clock: systemClock, log };
    await using programs = createChannelPrograms(shared);
    await using channel = await create(address, { programs });
    expect(channel).toMatchObject({ name: "one", kind });
    expect(channel.findProblem?.()).toMatch(/not started/);
  });

  it("says what is missing: a terminal, an open door, a secret", async () => {
    await expect(create("console")).rejects.toThrow(/needs a terminal/);
    await expect(create("http://host")).rejects.toThrow(/server\.enabled/);
    const door = openDoor(false);
    await expect(create("http://host", { door })).rejects.toThrow(/config\.secret/);
    await expect(create("ws://inbound", { door })).rejects.toThrow(/config\.token/);
    await expect(create("webchat", { door })).rejects.toThrow(/config\.token/);
  });
});
