import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { type ChannelOptions, createChannel } from "./create-channel.ts";
import { createChannelPrograms } from "./process/channel-programs.ts";
import { createFakeTerminal } from "./testing/fake-terminal.ts";
import { createWebhookInlet } from "./webhook-inlet.ts";

function create(
  address: string,
  more: Partial<ChannelOptions> = {},
): ReturnType<typeof createChannel> {
  const log = createSilentLog();
  return createChannel({ name: "one", address, config: {}, clock: systemClock, log, ...more });
}

describe("createChannel", () => {
  it("makes the channel its address asks for", async () => {
    await using console = create("console", { terminal: createFakeTerminal() });
    expect(console).toMatchObject({ name: "one", kind: "console" });
    const webhooks = { inlet: createWebhookInlet(), doorChecksCallers: true };
    await using webhook = create("https://example.com/x", { webhooks });
    expect(webhook).toMatchObject({ name: "one", kind: "webhook" });
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
    await using channel = create(address, { programs });
    expect(channel).toMatchObject({ name: "one", kind });
    expect(channel.findProblem?.()).toMatch(/not started/);
  });

  it.each(["wss://host", "channel.yaml"])(
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
    const webhooks = { inlet: createWebhookInlet(), doorChecksCallers: false };
    expect(() => create("http://host", { webhooks })).toThrow(/config\.secret/);
  });
});
