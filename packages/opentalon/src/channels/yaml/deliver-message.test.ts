import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { OutboundMessage } from "../../domain/message.ts";
import type { Turn, TurnEvent } from "../../domain/turn.ts";
import { defineChannel, type DefinedChannel } from "./testing/define-channel.ts";
import { startStubServer, type StubServer } from "./testing/stub-server.ts";

let server: StubServer;
let posted: string[];
let signIns: number;
const opened: DefinedChannel[] = [];

beforeEach(async () => {
  posted = [];
  signIns = 0;
  server = await startStubServer({
    handle: ({ path, json }) => {
      if (path === "/token") return { json: { token: `t${(signIns += 1)}` } };
      if (path === "/send") {
        posted.push(String(json["text"]));
        return { json: { ok: true, id: posted.length } };
      }
      if (path === "/edit") posted[Number(json["id"]) - 1] = String(json["text"]);
      return { json: { ok: true } };
    },
  });
});

afterEach(async () => {
  for (const each of opened.splice(0)) await each[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function open(more = "", rest = ""): Promise<DefinedChannel> {
  const defined = defineChannel(`
id: stub
capabilities: {edits: true, max_message_length: 300}
init: [{name: sign_in, url: "${server.url}/token", store: {token: token}}]
inbound:
  http_webhook: {}
  mapping: {conversation_id: chat, sender_id: from, content: text, message_id: id}
outbound:
  chunking: {max_length: 200}
  send: {url: "${server.url}/send", headers: {Authorization: "Bearer {{self.token}}"}, body: '{"text":"{{msg.content}}","thread":"{{msg.thread_id}}"}'}
  send_store_id: id
  update: {url: "${server.url}/edit", method: PUT, body: '{"id":{{msg.message_id}},"text":"{{msg.content}}"}'}
${more}
${rest}`);
  opened.push(defined);
  await defined.channel.start(defined.host);
  return defined;
}

const reply = (content: string, more: Partial<OutboundMessage> = {}): OutboundMessage => ({
  channel: "test",
  conversationId: "c",
  threadId: "",
  content,
  files: [],
  metadata: { in_reply_to: "m1" },
  ...more,
});

const turn: Turn = {
  id: "turn-1",
  sessionKey: "test:c",
  attempt: 1,
  message: {
    channel: "test",
    channelKind: "stub",
    platformMessageId: "m1",
    conversationId: "c",
    threadId: "",
    senderId: "u",
    senderName: "",
    content: "question",
    files: [],
    metadata: {},
    sentAtMs: 0,
  },
};
const delta = (text: string): TurnEvent => ({ kind: "text-delta", text });
const asked = (path: string): number =>
  server.requests.filter((request) => request.path === path).length;
const words = "some words of an answer that is being written just now, and more ";

describe("a reply", () => {
  it("is cut to what the platform takes, by the smaller of its limits", async () => {
    const { channel } = await open();
    expect(channel.capabilities().maxMessageLength).toBe(200);
  });

  it.each([
    [429, { "Retry-After": "7" }, { ok: false, error: "ratelimited" }, 7_000],
    [
      429,
      {},
      { ok: false, description: "Too Many Requests", parameters: { retry_after: 3 } },
      3_000,
    ],
    [200, {}, { ok: false, error: "channel_not_found" }, undefined],
    [503, {}, {}, undefined],
    [302, { Location: "https://evil.example" }, {}, undefined],
  ])("that is answered with %s is not delivered", async (status, headers, json, retryAfterMs) => {
    const { channel } = await open();
    server.intercept(({ path }) => (path === "/send" ? { status, headers, json } : undefined));
    await expect(channel.send(reply("x"), "d1")).rejects.toMatchObject({
      outcome: "not-delivered",
      retryAfterMs,
    });
  });

  it("is of unknown fate when the platform falls silent, and not delivered when nobody listens", async () => {
    const { channel, clock } = await open();
    server.intercept(({ path }) => (path === "/send" ? new Promise(() => undefined) : undefined));
    const sending = Promise.allSettled([channel.send(reply("x"), "d1")]);
    await vi.waitFor(() => expect(asked("/send")).toBe(1));
    clock.advance(30_000);
    expect(await sending).toMatchObject([{ reason: { outcome: "unknown" } }]);
    const { url } = server;
    await server[Symbol.asyncDispose]();
    await expect(channel.send(reply("x"), "d2")).rejects.toMatchObject({
      outcome: "not-delivered",
    });
    await expect(channel.send(reply("x"), "d2")).rejects.toThrow(
      new RegExp(`^${url} did not answer`),
    );
  });

  it("goes out after a new sign-in when the platform does not know us any more", async () => {
    const { channel, clock } = await open();
    let valid = "Bearer t2";
    server.intercept(({ path, headers }) =>
      path === "/send" && headers.authorization !== valid ? { status: 401 } : undefined,
    );
    await Promise.all([channel.send(reply("one"), "d1"), channel.send(reply("two"), "d2")]);
    expect(posted.toSorted()).toEqual(["one", "two"]);
    expect(signIns).toBe(2);
    // A sign-in that helps nobody is not repeated all the time.
    valid = "nothing";
    await expect(channel.send(reply("three"), "d3")).rejects.toThrow(/status 401/);
    expect(signIns).toBe(2);
    clock.advance(60_000);
    await expect(channel.send(reply("three"), "d3")).rejects.toThrow(/status 401/);
    expect(signIns).toBe(3);
  });

  it("that is empty, or only a sign of typing, is no message", async () => {
    const { channel } = await open(`  typing: {url: "${server.url}/typing"}`);
    await channel.send(reply(""), "d1");
    await channel.send(reply("", { metadata: { _typing: "true" } }), "d2");
    await vi.waitFor(() => expect(asked("/typing")).toBe(1));
    expect(posted).toEqual([]);
  });

  it("calls its hooks once, however many parts it has", async () => {
    const hooks = `hooks: {on_response: [{url: "${server.url}/done", body: '{"c":"{{msg.conversation_id}}"}'}]}`;
    const { channel } = await open("", hooks);
    await channel.send(reply("one"), "d1#1");
    await channel.send(reply("two"), "d1#2");
    await vi.waitFor(() => expect(asked("/done")).toBe(1));
    await channel.send(reply("three"), "d2");
    await vi.waitFor(() => expect(asked("/done")).toBe(2));
  });

  it("asks with buttons where it can, and with words where the platform takes none", async () => {
    const { channel } = await open(
      `  confirm: {url: "${server.url}/ask", body: '{"text":"{{msg.content}}"}'}`,
    );
    const question = reply("May I?", {
      metadata: { type: "confirmation", options: "approve,reject" },
    });
    await channel.send(question, "d1");
    expect([asked("/ask"), asked("/send")]).toEqual([1, 0]);
    server.intercept(({ path }) => (path === "/ask" ? { status: 400 } : undefined));
    await channel.send(question, "d2");
    expect(posted).toEqual(["May I?"]);
  });
});

describe("a reply that is shown while it is written", () => {
  it("is one message, edited as it grows, at most so often, and ends as what was sent", async () => {
    const { channel, clock } = await open();
    channel.show?.(turn, delta("short"));
    expect(server.requests.filter(({ path }) => path === "/send")).toEqual([]);
    channel.show?.(turn, delta(words));
    await vi.waitFor(() => expect(posted).toEqual([`short${words} ◍`]));
    channel.show?.(turn, delta(words));
    clock.advance(799);
    channel.show?.(turn, delta("!"));
    expect(asked("/edit")).toBe(0);
    clock.advance(1);
    channel.show?.(turn, delta("?"));
    await vi.waitFor(() => expect(posted).toEqual([`short${words}${words}!? ◍`]));
    channel.show?.(turn, { kind: "turn-finished", outcome: "answered" });
    expect(await channel.send(reply("the whole answer"), "d1#1")).toEqual({ messageIds: ["1"] });
    expect(await channel.send(reply("its second part"), "d1#2")).toEqual({ messageIds: ["2"] });
    expect(posted).toEqual(["the whole answer", "its second part"]);
  });

  it("begins anew after a failed attempt, and never outgrows a message", async () => {
    const { channel, clock } = await open();
    channel.show?.(turn, delta(words));
    await vi.waitFor(() => expect(posted.length).toBe(1));
    channel.show?.(turn, { kind: "text-reset" });
    clock.advance(1_000);
    channel.show?.(turn, delta("🎉".repeat(400)));
    await vi.waitFor(() => expect(asked("/edit")).toBe(1));
    await vi.waitFor(() => expect(posted[0]?.startsWith("🎉")).toBe(true));
    expect(posted[0]?.length).toBeLessThanOrEqual(200);
    expect(posted[0]?.isWellFormed()).toBe(true);
  });

  it("waits for the message that is on its way before it is finished", async () => {
    const { channel } = await open();
    const going = Promise.withResolvers<void>();
    let isFirst = true;
    server.intercept(({ path }) => {
      if (path !== "/send" || !isFirst) return undefined;
      isFirst = false;
      return going.promise.then(() => {
        posted.push("partial");
        return { json: { ok: true, id: 1 } };
      });
    });
    channel.show?.(turn, delta(words));
    await vi.waitFor(() => expect(asked("/send")).toBe(1));
    const sending = channel.send(reply("final"), "d1");
    going.resolve();
    await sending;
    expect(posted).toEqual(["final"]);
  });

  it("is posted anew when its message is gone, edited again when an edit's fate is unknown", async () => {
    const { channel, clock } = await open();
    channel.show?.(turn, delta(words));
    await vi.waitFor(() => expect(posted.length).toBe(1));
    server.intercept(({ path }) => (path === "/edit" ? new Promise(() => undefined) : undefined));
    const sending = Promise.allSettled([channel.send(reply("final"), "d1")]);
    await vi.waitFor(() => expect(asked("/edit")).toBe(1));
    clock.advance(30_000);
    expect(await sending).toMatchObject([{ reason: { outcome: "not-delivered" } }]);
    server.intercept(({ path }) =>
      path === "/edit" ? { json: { ok: false, error: "message_not_found" } } : undefined,
    );
    await channel.send(reply("final"), "d1");
    expect(posted).toEqual([`${words} ◍`, "final"]);
  });

  it("loses its mark when a question with buttons follows it", async () => {
    const { channel } = await open(
      `  confirm: {url: "${server.url}/send", body: '{"text":"{{msg.content}}","buttons":true}'}`,
    );
    channel.show?.(turn, delta(words));
    await vi.waitFor(() => expect(posted.length).toBe(1));
    const metadata = { in_reply_to: "m1", type: "confirmation", options: "approve,reject" };
    await channel.send(reply("May I?", { metadata }), "d1");
    expect(posted).toEqual([words, "May I?"]);
  });

  it("pauses when the platform asks for it", async () => {
    const { channel, clock } = await open();
    channel.show?.(turn, delta(words));
    await vi.waitFor(() => expect(posted.length).toBe(1));
    server.intercept(({ path }) =>
      path === "/edit" ? { status: 429, headers: { "Retry-After": "9" } } : undefined,
    );
    clock.advance(1_000);
    channel.show?.(turn, delta(words));
    await vi.waitFor(() => expect(asked("/edit")).toBe(1));
    server.intercept(undefined);
    clock.advance(8_000);
    channel.show?.(turn, delta(words));
    clock.advance(2_000);
    expect(asked("/edit")).toBe(1);
    channel.show?.(turn, delta("."));
    await vi.waitFor(() => expect(asked("/edit")).toBe(2));
    await channel.send(reply("final"), "d1");
  });

  it("is posted as usual by a program that never showed it", async () => {
    const { channel } = await open();
    await channel.send(reply("final"), "d1");
    expect(posted).toEqual(["final"]);
  });

  it("comes with a sign of typing until the turn ends", async () => {
    const { channel, clock } = await open(`  typing: {url: "${server.url}/typing", interval: 4s}`);
    channel.show?.(turn, { kind: "turn-started" });
    await vi.waitFor(() => expect(asked("/typing")).toBe(1));
    clock.advance(4_000);
    await vi.waitFor(() => expect(asked("/typing")).toBe(2));
    channel.show?.(turn, { kind: "turn-finished", outcome: "answered" });
    clock.advance(60_000);
    await channel.send(reply("done"), "d1");
    expect(asked("/typing")).toBe(2);
  });
});
