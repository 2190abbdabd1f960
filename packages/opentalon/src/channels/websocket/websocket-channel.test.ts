import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { createManualClock, systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import type { Channel } from "../../domain/channel.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import type { Turn } from "../../domain/turn.ts";
import { type PlainDoor, startPlainDoor } from "../testing/plain-door.ts";
import {
  createRecordingHost,
  type RecordingHost,
  rememberIdentities,
} from "../testing/recording-host.ts";
import { dialAsPeer, type Frame, type SocketPeer, waitForFrames } from "../testing/socket-peer.ts";
import { startSocketPlatform } from "../testing/socket-platform.ts";
import { createSocketInlet, type SocketInlet } from "./socket-inlet.ts";
import { createWebSocketChannel, type WebSocketChannelOptions } from "./websocket-channel.ts";

const token = "a-token-of-good-length";
const patient = { timeout: 10_000 };

let inlet: SocketInlet;
let door: PlainDoor;
let host: RecordingHost;
const channels: Channel[] = [];
const peers: SocketPeer[] = [];

beforeEach(async () => {
  inlet = createSocketInlet();
  door = await startPlainDoor([], [inlet.route]);
  host = createRecordingHost();
});

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.close();
  for (const channel of channels.splice(0)) await channel[Symbol.asyncDispose]();
  await door[Symbol.asyncDispose]();
});

async function startChannel(more: Partial<WebSocketChannelOptions> = {}): Promise<Channel> {
  const channel = createWebSocketChannel({
    name: "bridge",
    config: { token },
    inlet,
    doorChecksCallers: true,
    clock: systemClock,
    log: createSilentLog(),
    ...more,
  });
  channels.push(channel);
  await channel.start(host);
  return channel;
}

async function dial(identify?: Frame): Promise<SocketPeer> {
  const peer = await dialAsPeer(`${door.url}/api/channels/ws`);
  peers.push(peer);
  if (identify !== undefined) peer.send({ type: "identify", id: "bridge", token, ...identify });
  return peer;
}

const said = (id: string, content = id): Frame => ({
  id,
  conversation_id: "c1",
  sender_id: "u1",
  content,
});

const reply = (content: string): OutboundMessage => ({
  channel: "bridge",
  conversationId: "c1",
  threadId: "t1",
  content,
  files: [{ name: "a.txt", mimeType: "text/plain", data: Buffer.from("hé") }],
  metadata: { in_reply_to: "m1" },
});

describe("whoever dials", () => {
  it("has to say first which channel it is, with the channel's token", async () => {
    await startChannel();
    const silent = await dial();
    silent.send(said("m1"));
    expect(await silent.ended).toBe(4400);
    const words = new Set<unknown>();
    for (const wrong of [{ token: "another" }, { token: "" }, { id: "other" }, { token: 7 }]) {
      const peer = await dial(wrong);
      expect(await peer.ended).toBe(4401);
      words.add(peer.frames[0]?.["error"]);
    }
    expect(words.size).toBe(1);
    expect(host.messages).toEqual([]);
    const peer = await dial({ acks: true });
    expect(await waitForFrames(peer, "identified")).toEqual([{ type: "identified", id: "bridge" }]);
  });

  it("needs no token where the door knows its callers, and none is set", async () => {
    await startChannel({ config: {} });
    door.setTrusted(false);
    expect(await (await dial({ token: "" })).ended).toBe(4401);
    door.setTrusted(true);
    const peer = await dial({ token: "" });
    peer.send(said("m1"));
    await waitForFrames(peer, "ack");
  });

  it("is no page of another origin, unless the settings name it", async () => {
    await startChannel({ config: { token, origins: ["https://ours.example"] } });
    const ask = (origin: string): Promise<number | "ack"> =>
      new Promise((resolve) => {
        const socket = new WebSocket(new URL(`${door.url.replace("http", "ws")}/api/channels/ws`), {
          headers: { origin },
          handshakeTimeout: 5_000,
          followRedirects: false,
          maxPayload: 1_000_000,
          perMessageDeflate: false,
        });
        socket.on("open", () =>
          socket.send(
            JSON.stringify({ type: "identify", id: "bridge", token, acks: true }),
            () => {},
          ),
        );
        socket.on("message", (data) => {
          if (!(data as Buffer).toString().includes("identified")) return;
          resolve("ack");
          socket.close(1000, "");
        });
        socket.on("close", (code) => resolve(code));
      });
    expect(await ask("https://evil.example")).toBe(4401);
    expect(await ask("https://ours.example")).toBe("ack");
  });

  it("takes the place of an older connection of the same channel", async () => {
    await startChannel();
    const older = await dial({ acks: true });
    await waitForFrames(older, "identified");
    const newer = await dial({ acks: true });
    expect(await older.ended).toBe(4409);
    newer.send(said("m1"));
    await waitForFrames(newer, "ack");
  });

  it("is refused where acknowledgements are a must, and it gives none", async () => {
    await startChannel({ config: { token, acks: true } });
    expect(await (await dial({})).ended).toBe(4400);
  });
});

describe("messages over a WebSocket", () => {
  it("are acknowledged once they are stored, a second delivery too", async () => {
    await startChannel();
    host.answerWith(rememberIdentities());
    const peer = await dial({});
    for (const frame of [said("m1"), { type: "message", ...said("m1") }, said("m1"), said("m1")]) {
      peer.send(frame);
    }
    expect(await waitForFrames(peer, "ack", 4)).toEqual([
      { type: "ack", id: "m1" },
      ...Array.from({ length: 3 }, () => ({ type: "ack", id: "m1", duplicate: true })),
    ]);
    expect(host.messages[0]).toMatchObject({
      channelKind: "websocket",
      platformMessageId: "m1",
      conversationId: "c1",
      senderId: "u1",
    });
  });

  it("may have their identity in the metadata, and need one", async () => {
    await startChannel();
    const peer = await dial({});
    peer.send({ conversation_id: "c", sender_id: "u", metadata: { message_id: "from-metadata" } });
    peer.send({ conversation_id: "c", sender_id: "u", content: "x" });
    expect(await waitForFrames(peer, "ack")).toMatchObject([{ id: "from-metadata" }]);
    const [refused] = await waitForFrames(peer, "error");
    expect(refused?.["error"]).toMatch(/`metadata.message_id`/);
  });

  it("that are none are told what was expected, and the connection goes on", async () => {
    await startChannel();
    const peer = await dial({});
    peer.send("{");
    peer.send("[]");
    peer.send({ type: "message", id: "m1", conversation_id: "c" });
    peer.send({ type: "of another version" });
    peer.send(said("m2"));
    await waitForFrames(peer, "ack");
    expect(peer.ofType("error")).toEqual([
      { type: "error", id: "", error: "the frame is not JSON" },
      { type: "error", id: "", error: "a frame must be a JSON object" },
      { type: "error", id: "m1", error: "`sender_id` is missing" },
    ]);
  });

  it("that cannot be stored come with a time to come back", async () => {
    const channel = await startChannel();
    host.answerWith(() => ({ kind: "refused", reason: "inbox full", retryAfterMs: 2_500 }));
    const peer = await dial({});
    peer.send(said("m1"));
    expect(await waitForFrames(peer, "error")).toEqual([
      { type: "error", id: "m1", error: "inbox full", retry_after_ms: 2_500 },
    ]);
    await channel.stopIntake();
    peer.send(said("m2"));
    expect(await waitForFrames(peer, "error", 2)).toMatchObject([{}, { retry_after_ms: 5_000 }]);
  });
});

describe("replies over a WebSocket", () => {
  it("are plain messages with an identity, delivered when they were written", async () => {
    const channel = await startChannel();
    const peer = await dial({});
    await channel.send(reply("42 ✓"), "d1");
    expect(await waitForFrames(peer, "message")).toEqual([
      {
        type: "message",
        delivery_id: "d1",
        conversation_id: "c1",
        thread_id: "t1",
        content: "42 ✓",
        files: [{ name: "a.txt", mime_type: "text/plain", data: "aMOp", size: 3 }],
        metadata: { in_reply_to: "m1" },
      },
    ]);
  });

  it("count as delivered once a peer that acknowledges has done so", async () => {
    const channel = await startChannel();
    const peer = await dial({ acks: true });
    let isDelivered = false;
    const sending = channel.send(reply("x"), "d1").then(() => {
      isDelivered = true;
    });
    await waitForFrames(peer, "message");
    expect(isDelivered).toBe(false);
    peer.send({ type: "ack", id: "d1" });
    await sending;
  });

  it("that were not acknowledged come again over the next connection, and no others", async () => {
    const channel = await startChannel();
    const first = await dial({ acks: true });
    const sends = ["d1", "d2", "d3", "d4"].map((id) => channel.send(reply(id), id));
    await waitForFrames(first, "message", 4);
    first.send({ type: "ack", id: "d1" });
    await sends[0];
    first.close();
    await first.ended;
    // It has d2 as well, but could not say so any more.
    const second = await dial({ acks: true, last: "d2" });
    await sends[1];
    const again = await waitForFrames(second, "message", 2);
    expect(again.map(({ delivery_id: id }) => id)).toEqual(["d3", "d4"]);
    second.send({ type: "resume", last: "d4" });
    await Promise.all(sends);
  });

  it("wait for a peer that is away, and go back to the outbox when it stays away", async () => {
    const clock = createManualClock();
    const channel = await startChannel({ clock });
    const waiting = channel.send(reply("late"), "d1");
    const peer = await dial({});
    await waiting;
    expect((await waitForFrames(peer, "message"))[0]).toMatchObject({ delivery_id: "d1" });
    peer.close();
    await peer.ended;
    await vi.waitFor(() => expect(door.openSockets()).toBe(0));
    const lost = channel.send(reply("lost"), "d2");
    lost.catch(() => {});
    clock.advance(30_000);
    await expect(lost).rejects.toMatchObject({ outcome: "not-delivered" });
  });

  it("cut off a peer that does not acknowledge, and may be sent again", async () => {
    const clock = createManualClock();
    const channel = await startChannel({ clock });
    const peer = await dial({ acks: true });
    await waitForFrames(peer, "identified");
    const sending = channel.send(reply("x"), "d1");
    sending.catch(() => {});
    await waitForFrames(peer, "message");
    clock.advance(30_000);
    await expect(sending).rejects.toMatchObject({ outcome: "not-delivered" });
    expect(await peer.ended).toBe(4408);
  });

  it("do not pile up for a peer that reads slowly: it is cut off, the rest is for later", async () => {
    const clock = createManualClock();
    const channel = await startChannel({ clock });
    const url = new URL(`${door.url.replace("http", "ws")}/api/channels/ws`);
    const slow = new WebSocket(url, {
      headers: {},
      handshakeTimeout: 5_000,
      followRedirects: false,
      maxPayload: 64_000_000,
      perMessageDeflate: false,
    });
    slow.on("error", () => {});
    await new Promise<void>((resolve) => {
      slow.on("open", () =>
        slow.send(JSON.stringify({ type: "identify", id: "bridge", token, acks: true }), () => {}),
      );
      slow.on("message", () => resolve());
    });
    slow.pause();
    const contents = "x".repeat(1_000_000);
    const sends = Array.from({ length: 40 }, (_, index) =>
      channel.send(reply(contents), `d${index}`),
    );
    const outcomes = Promise.allSettled(sends);
    clock.advance(2_000);
    await vi.waitFor(() => expect(door.openSockets()).toBe(0), patient);
    clock.advance(30_000);
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { outcome: "not-delivered" } });
    }
    slow.terminate();
  });
});

describe("answers in the making", () => {
  const turn: Turn = {
    id: "turn-1",
    sessionKey: "s",
    attempt: 1,
    message: {
      channel: "bridge",
      channelKind: "websocket",
      platformMessageId: "m1",
      conversationId: "c1",
      threadId: "",
      senderId: "u",
      senderName: "",
      content: "hi",
      files: [],
      metadata: {},
      sentAtMs: 0,
    },
  };

  it("are shown to a peer that asked for it, and closed by the whole answer", async () => {
    const channel = await startChannel();
    const peer = await dial({ live: true });
    await waitForFrames(peer, "identified");
    channel.show?.(turn, { kind: "turn-started" });
    channel.show?.(turn, { kind: "text-delta", text: "wro" });
    channel.show?.(turn, { kind: "text-reset" });
    channel.show?.(turn, { kind: "text-delta", text: "4" });
    channel.show?.(turn, { kind: "text-delta", text: "2" });
    channel.show?.(turn, { kind: "tool-started", callId: "1", tool: "calc" });
    channel.show?.(turn, { kind: "turn-finished", outcome: "answered" });
    await channel.send(reply("42"), "d1");
    await waitForFrames(peer, "message");
    const about = { conversation_id: "c1", thread_id: "", in_reply_to: "m1" };
    expect(peer.frames.slice(1)).toEqual([
      { type: "reset", ...about },
      { type: "delta", ...about, content: "42", streaming: true },
      { type: "status", ...about, tool: "calc" },
      { type: "done", ...about },
      expect.objectContaining({ type: "message", content: "42", streaming: false, done: true }),
    ]);
  });

  it("are left out for others; one that was cut off in the middle gets the whole later", async () => {
    const channel = await startChannel();
    const plain = await dial({ acks: true });
    await waitForFrames(plain, "identified");
    channel.show?.(turn, { kind: "turn-started" });
    channel.show?.(turn, { kind: "tool-started", callId: "1", tool: "calc" });
    plain.send({ type: "identify", acks: true, live: true });
    plain.send(said("after"));
    await waitForFrames(plain, "ack");
    const other = { ...turn, id: "turn-2" };
    channel.show?.(other, { kind: "turn-started" });
    channel.show?.(other, { kind: "text-delta", text: "half an ans" });
    await waitForFrames(plain, "delta");
    expect(plain.ofType("status")).toEqual([]);
    plain.close();
    await plain.ended;
    channel.show?.(other, { kind: "text-delta", text: "wer" });
    channel.show?.(other, { kind: "turn-finished", outcome: "answered" });
    const sending = channel.send(reply("half an answer is none"), "d1");
    const back = await dial({ acks: true, live: true });
    expect(await waitForFrames(back, "message")).toMatchObject([
      { content: "half an answer is none" },
    ]);
    back.send({ type: "ack", id: "d1" });
    await sending;
  });
});

describe("a WebSocket we dial", () => {
  it("is told who we are, and dialled again when it breaks, with everything not acknowledged", async () => {
    await using platform = await startSocketPlatform();
    const clock = createManualClock();
    const channel = await startChannel({
      url: platform.url,
      config: { api_key: token, acks: true },
      clock,
    });
    platform.onFrame((frame, answer) => {
      if (frame["type"] === "identify") answer({ type: "identify", acks: true });
      if (frame["type"] === "message" && frame["delivery_id"] !== "d2") {
        answer({ type: "ack", id: frame["delivery_id"] });
      }
    });
    await channel.send(reply("one"), "d1");
    expect(platform.dialled[0]?.authorization).toBe(`Bearer ${token}`);
    expect(platform.frames[0]).toEqual({ type: "identify", id: "bridge", token, acks: true });
    const sending = channel.send(reply("two"), "d2");
    const ids = (): readonly unknown[] =>
      platform.frames.filter(({ type }) => type === "message").map((frame) => frame["delivery_id"]);
    await vi.waitFor(() => expect(ids()).toEqual(["d1", "d2"]));
    platform.refuse(true);
    platform.cut();
    await vi.waitFor(() => {
      clock.advance(100);
      expect(platform.dialled.length).toBeGreaterThan(3);
    }, patient);
    platform.refuse(false);
    platform.onFrame((frame, answer) => {
      if (frame["type"] === "identify") answer({ type: "identify", acks: true });
      if (frame["type"] === "message") answer({ type: "ack", id: frame["delivery_id"] });
    });
    await vi.waitFor(() => {
      clock.advance(100);
      expect(ids()).toEqual(["d1", "d2", "d2"]);
    }, patient);
    await sending;
  });

  it("may know nothing of frames: then messages are bare, and delivered when written", async () => {
    await using platform = await startSocketPlatform();
    const clock = createManualClock();
    const channel = await startChannel({ url: platform.url, config: {}, clock });
    await vi.waitFor(() => expect(platform.openConnections()).toBe(1));
    platform.send(said("m1"));
    await vi.waitFor(() => expect(host.contents()).toEqual(["m1"]));
    const sending = channel.send(reply("42"), "d1");
    clock.advance(1_000);
    await sending;
    await vi.waitFor(() => expect(platform.frames.at(-1)).toMatchObject({ content: "42" }));
  });
});
