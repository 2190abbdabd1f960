import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createManualClock, systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { createSecret } from "../../base/secret.ts";
import type { Channel } from "../../domain/channel.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import type { Turn } from "../../domain/turn.ts";
import { createMemoryChat } from "../testing/memory-chat.ts";
import { type PlainDoor, startPlainDoor } from "../testing/plain-door.ts";
import {
  createRecordingHost,
  type RecordingHost,
  rememberIdentities,
} from "../testing/recording-host.ts";
import { dialAsPeer, type Frame, type SocketPeer, waitForFrames } from "../testing/socket-peer.ts";
import { type ChatInlet, createChatInlet } from "./chat-inlet.ts";
import type { ChatEntry } from "./transcript.ts";
import { createWebChatChannel, type WebChatChannelOptions } from "./webchat-channel.ts";

let inlet: ChatInlet;
let door: PlainDoor;
let host: RecordingHost;
let memory = createMemoryChat();
const channels: Channel[] = [];
const peers: SocketPeer[] = [];

beforeEach(async () => {
  inlet = createChatInlet();
  door = await startPlainDoor(inlet.routes, [inlet.socketRoute]);
  host = createRecordingHost();
  memory = createMemoryChat();
});

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.close();
  for (const channel of channels.splice(0)) await channel[Symbol.asyncDispose]();
  await door[Symbol.asyncDispose]();
});

async function startChannel(more: Partial<WebChatChannelOptions> = {}): Promise<Channel> {
  const channel = createWebChatChannel({
    name: "web",
    config: {},
    inlet,
    doorChecksCallers: true,
    doorToken: undefined,
    memory,
    clock: systemClock,
    log: createSilentLog(),
    ...more,
  });
  channels.push(channel);
  await channel.start(host);
  return channel;
}

async function dial(hello: Frame = {}): Promise<SocketPeer> {
  const peer = await dialAsPeer(`${door.url}/chat/web/socket`);
  peers.push(peer);
  peer.send({ type: "hello", ...hello });
  return peer;
}

const toReply = (conversationId: string, content: string): OutboundMessage => ({
  channel: "web",
  conversationId,
  threadId: "",
  content,
  files: [],
  metadata: { in_reply_to: "m1", internal: "not for the page" },
});

const entriesOf = (frame: Frame | undefined): readonly ChatEntry[] =>
  frame?.["entries"] as readonly ChatEntry[];

describe("the page of a web chat", () => {
  it("is whole in itself, and the browser is told to load nothing else", async () => {
    await startChannel({ config: { title: `Ask <us> & "them"` } });
    const response = await fetch(`${door.url}/chat/web/`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-/);
    expect(policy).not.toMatch(/unsafe|https?:/);
    const html = await response.text();
    expect(html).toContain("<title>Ask &lt;us&gt; &amp; &quot;them&quot;</title>");
    expect(html).not.toMatch(/innerHTML|insertAdjacentHTML|document\.write|\bsrc="|<link/);
  });

  it("is there only for channels there are", async () => {
    await startChannel();
    expect((await fetch(`${door.url}/chat/other/`)).status).toBe(404);
    const bare = await fetch(`${door.url}/chat/web`, { redirect: "manual" });
    expect([bare.status, bare.headers.get("location")]).toEqual([308, "/chat/web/"]);
  });
});

describe("who may talk in a web chat", () => {
  it("is asked for the token once, and known by the session afterwards", async () => {
    await startChannel({ config: { token: createSecret("open sesame, please") } });
    const stranger = await dial();
    expect(await waitForFrames(stranger, "token-needed")).toMatchObject([{ wrong: false }]);
    expect(await stranger.ended).toBe(4401);
    const guest = await dial({ token: "open sesame, please" });
    const [welcome] = await waitForFrames(guest, "welcome");
    const session = String(welcome?.["session"]);
    await waitForFrames(await dial({ session }), "welcome");
    const forged = session.replace(/^./, (first) => (first === "A" ? "B" : "A"));
    await waitForFrames(await dial({ session: forged }), "token-needed");
  });

  it("waits after a wrong token, and has to show the new one after it changed", async () => {
    const clock = createManualClock();
    const first = await startChannel({ config: { token: "open sesame, please" }, clock });
    const wrong = await dial({ token: "open barley" });
    const advance = vi.waitFor(() => {
      clock.advance(500);
      expect(wrong.ofType("token-needed")).toMatchObject([{ wrong: true }]);
    });
    await advance;
    const guest = await dial({ token: "open sesame, please" });
    const session = (await waitForFrames(guest, "welcome"))[0]?.["session"];
    await first[Symbol.asyncDispose]();
    await startChannel({ config: { token: "another one, much longer" }, clock });
    await waitForFrames(await dial({ session }), "token-needed");
  });

  it("is the door's business where the channel has no token", async () => {
    await startChannel();
    door.setTrusted(false);
    await waitForFrames(await dial(), "token-needed");
    door.setTrusted(true);
    await waitForFrames(await dial(), "welcome");
    expect(() =>
      createWebChatChannel({
        name: "open",
        config: {},
        inlet,
        doorChecksCallers: false,
        doorToken: undefined,
        memory,
        clock: systemClock,
        log: createSilentLog(),
      }),
    ).toThrow(/config\.token/);
  });
});

describe("a conversation in a web chat", () => {
  it("goes on after a reload and after a restart, with what was said meanwhile", async () => {
    const first = await startChannel();
    const peer = await dial();
    const session = (await waitForFrames(peer, "welcome"))[0]?.["session"];
    peer.send({ type: "message", id: "message-1", content: "hello" });
    await waitForFrames(peer, "ack");
    const conversation = host.messages[0]?.conversationId ?? "";
    // What the page is shown as its name, and reactions name.
    const sent = await first.send(toReply(conversation, "hi"), "d1");
    expect(sent).toEqual({ messageIds: ["d1"] });
    await waitForFrames(peer, "entry", 2);
    peer.close();
    await peer.ended;
    await first.send(toReply(conversation, "are you there?"), "d2");
    await first.send(toReply(conversation, "are you there?"), "d2");
    await first[Symbol.asyncDispose]();
    await startChannel();
    const back = await dial({ session, last: 2 });
    const [welcome] = await waitForFrames(back, "welcome");
    expect(entriesOf(welcome)).toMatchObject([{ seq: 3, id: "d2", content: "are you there?" }]);
    const all = entriesOf((await waitForFrames(await dial({ session }), "welcome"))[0]);
    expect(all.map(({ from, content }) => [from, content])).toEqual([
      ["person", "hello"],
      ["assistant", "hi"],
      ["assistant", "are you there?"],
    ]);
    expect(all[1]?.metadata).toEqual({ in_reply_to: "m1" });
  });

  it("is nobody else's", async () => {
    const channel = await startChannel();
    const [ann, ben] = [await dial(), await dial()];
    await waitForFrames(ann, "welcome");
    await waitForFrames(ben, "welcome");
    host.answerWith(rememberIdentities());
    ann.send({ type: "message", id: "message-1", content: "from ann" });
    await waitForFrames(ann, "ack");
    ben.send({ type: "message", id: "message-1", content: "from ben" });
    await waitForFrames(ben, "ack");
    expect(host.contents()).toEqual(["from ann", "from ben"]);
    await channel.send(toReply(host.messages[0]?.conversationId ?? "", "for ann"), "d1");
    await waitForFrames(ann, "entry", 2);
    expect(JSON.stringify(ben.frames)).not.toContain("ann");
  });

  it("takes a message once, however often the page sends it", async () => {
    await startChannel();
    host.answerWith(rememberIdentities());
    const peer = await dial();
    for (let i = 0; i < 4; i += 1) peer.send({ type: "message", id: "message-1", content: "x" });
    await waitForFrames(peer, "ack", 4);
    expect(peer.ofType("entry")).toHaveLength(1);
  });

  it("takes files of up to 8 MiB, reactions and decisions", async () => {
    await startChannel();
    const peer = await dial();
    const file = (bytes: number): Frame => ({
      name: "a.bin",
      mime_type: "image/png",
      data: Buffer.alloc(bytes).toString("base64"),
    });
    peer.send({ type: "message", id: "message-1", content: "", files: [file(8_388_608)] });
    peer.send({ type: "message", id: "message-2", content: "", files: [file(8_388_609)] });
    peer.send({ type: "reaction", id: "message-3", reaction: "👎", to: "d1" });
    peer.send({ type: "confirmation", id: "message-4", choice: "approve", tool_call_id: "call-1" });
    peer.send({ type: "message", id: "no", content: "x" });
    await waitForFrames(peer, "ack", 3);
    expect(await waitForFrames(peer, "error", 2)).toMatchObject([
      { id: "message-2", error: "files may have 8 MiB together" },
      { id: "" },
    ]);
    const [withFile, reaction, decision] = host.messages;
    expect(withFile?.files[0]?.data.byteLength).toBe(8_388_608);
    expect(reaction).toMatchObject({
      content: "",
      metadata: { reaction: "👎", reaction_to: "d1" },
    });
    expect(decision?.metadata).toEqual({ confirmation: "approve", tool_call_id: "call-1" });
  });

  it("shows answers in the making", async () => {
    const channel = await startChannel();
    const peer = await dial();
    peer.send({ type: "message", id: "message-1", content: "hello" });
    await waitForFrames(peer, "ack");
    const [message] = host.messages;
    if (message === undefined) throw new Error("no message");
    const turn: Turn = {
      id: "t",
      sessionKey: "s",
      attempt: 1,
      message: { ...message, channel: "web" },
    };
    channel.show?.(turn, { kind: "turn-started" });
    channel.show?.(turn, { kind: "text-delta", text: "4" });
    channel.show?.(turn, { kind: "text-delta", text: "2" });
    channel.show?.(turn, { kind: "turn-finished", outcome: "answered" });
    const to = message.platformMessageId;
    expect(await waitForFrames(peer, "live", 2)).toEqual([
      { type: "live", kind: "text", text: "42", to },
      { type: "live", kind: "finished", to },
    ]);
  });

  it("is forgotten when nothing was said for a month", async () => {
    const clock = createManualClock();
    const channel = await startChannel({ clock });
    await channel.send(toReply("old", "hello"), "d1");
    clock.advance(29 * 24 * 3_600_000);
    await channel.send(toReply("new", "hello"), "d2");
    clock.advance(2 * 24 * 3_600_000);
    await vi.waitFor(async () =>
      expect(await memory.list("webchat", "web:chat:", 10)).toEqual(["web:chat:new"]),
    );
  });

  it("keeps the newest hundred entries, and files only as long as there is room", async () => {
    const channel = await startChannel();
    const peer = await dial();
    const session = (await waitForFrames(peer, "welcome"))[0]?.["session"];
    peer.send({ type: "message", id: "message-1", content: "hello" });
    await waitForFrames(peer, "ack");
    const conversation = host.messages[0]?.conversationId ?? "";
    const data = Buffer.alloc(900_000);
    const files = [{ name: "a.bin", mimeType: "application/pdf", data }];
    await channel.send({ ...toReply(conversation, "a file"), files }, "with-file");
    for (let i = 0; i < 120; i += 1) await channel.send(toReply(conversation, `${i}`), `d${i}`);
    const all = entriesOf((await waitForFrames(await dial({ session }), "welcome"))[0]);
    expect(all).toHaveLength(100);
    expect(all.at(-1)).toMatchObject({ content: "119", seq: 122 });
    expect(JSON.stringify(all).length).toBeLessThan(1_100_000);
  });
});
