import { describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { type ChannelOptions, createChannel, type DoorAccess } from "./create-channel.ts";
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
    await using console = create("console", { terminal: createFakeTerminal() });
    expect(console).toMatchObject({ name: "one", kind: "console" });
    const door = openDoor(true);
    const kinds = {
      "https://example.com/x": "webhook",
      "wss://example.com/x": "websocket",
      "ws://inbound": "websocket",
      webchat: "webchat",
    };
    for (const [address, kind] of Object.entries(kinds)) {
      await using channel = create(address, { door });
      expect(channel).toMatchObject({ name: "one", kind });
    }
  });

  it.each(["./program", "grpc://host:1", "docker://image"])(
    "says of %s that its transport does not exist yet, and which do",
    (address) => {
      expect(() => create(address)).toThrow(
        expect.objectContaining({
          code: "CHANNEL_UNSUPPORTED",
          message: expect.stringMatching(/console.*http/) as string,
        }),
      );
    },
  );

  it("says what is missing: a terminal, an open door, a secret", () => {
    expect(() => create("console")).toThrow(/needs a terminal/);
    expect(() => create("http://host")).toThrow(/server\.enabled/);
    const door = openDoor(false);
    expect(() => create("http://host", { door })).toThrow(/config\.secret/);
    expect(() => create("ws://inbound", { door })).toThrow(/config\.token/);
    expect(() => create("webchat", { door })).toThrow(/config\.token/);
  });
});
