import { describe, expect, it } from "vitest";
import { dialAsPeer } from "../packages/opentalon/src/channels/testing/socket-peer.ts";
import { startSocketPlatform } from "../packages/opentalon/src/channels/testing/socket-platform.ts";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { createScratch } from "./support/scratch.ts";

const patient = { timeout: 90_000, interval: 100 };
const token = "a-channel-token-of-good-length";

const inbound = { enabled: true, plugin: "ws://inbound", config: { token, acks: true } };

const said = (id: string, content = id) => ({
  id,
  conversation_id: "room",
  sender_id: "ann",
  content,
});

describe("a channel over a WebSocket", () => {
  it("that we dial: answers come back, also those of the time it was away", async () => {
    await using models = await createModelServer();
    await using platform = await startSocketPlatform();
    using scratch = createScratch();
    const configPath = scratch.writeConfig(models.url, {
      channels: { bridge: { enabled: true, plugin: platform.url.href, config: { token } } },
    });
    await using core = startCore({ configPath });
    await core.ready();
    await expect.poll(() => platform.openConnections(), patient).toBe(1);
    expect(platform.dialled[0]?.authorization).toBe(`Bearer ${token}`);
    platform.send({ type: "identify", acks: true });
    platform.onFrame((frame, answer) => {
      if (frame["type"] === "identify") answer({ type: "identify", acks: true });
      // The moment the message is on disk the line goes dead.
      if (frame["type"] === "ack") platform.cut();
      if (frame["type"] === "message") answer({ type: "ack", id: frame["delivery_id"] });
    });
    platform.send(said("m1", "hello"));
    const answers = (): readonly unknown[] =>
      platform.frames.filter(({ type }) => type === "message").map(({ content }) => content);
    await expect.poll(answers, patient).toContain("answer: hello");
    expect(platform.dialled.length).toBeGreaterThan(1);
  });

  it("refuses strangers, and tells them nothing", async () => {
    await using models = await createModelServer();
    using scratch = createScratch();
    const configPath = scratch.writeConfig(models.url, {
      channels: { bridge: inbound },
      server: { addr: "127.0.0.1:0" },
    });
    await using core = startCore({ configPath });
    using peer = await dialAsPeer(`http://${await core.door()}/api/channels/ws`);
    peer.send({ type: "identify", id: "bridge", token: "guessed" });
    expect(await peer.ended).toBe(4401);
    expect(models.requests).toHaveLength(0);
    expect(JSON.stringify(core.log)).not.toContain(token);
  });
});
