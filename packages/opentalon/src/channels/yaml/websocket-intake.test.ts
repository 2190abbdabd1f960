import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { defineChannel, type DefinedChannel } from "./testing/define-channel.ts";
import { startStubServer, type StubServer } from "./testing/stub-server.ts";
import { acceptWebSocket, type WebSocketPeer } from "./testing/websocket-peer.ts";

let server: StubServer;
let peers: WebSocketPeer[];
let refusing: boolean;
let signIns: number;
const opened: DefinedChannel[] = [];

beforeEach(async () => {
  peers = [];
  refusing = false;
  signIns = 0;
  server = await startStubServer({
    handle: () => {
      signIns += 1;
      return { json: { url: `${server.url.replace("http", "ws")}/socket?ticket=${signIns}` } };
    },
    onUpgrade: (request, socket) => {
      if (refusing) socket.end("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
      else peers.push(acceptWebSocket(request, socket));
    },
  });
});

afterEach(async () => {
  for (const each of opened.splice(0)) await each[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function open(
  reconnect = "{backoff_initial: 1s, backoff_max: 8s, re_init: [sign_in]}",
  idle = "60s",
): Promise<DefinedChannel> {
  const defined = defineChannel(`
id: stub
init:
  - {name: sign_in, url: "${server.url}/open", store: {url: url}}
connection: {url: "{{self.url}}", idle_timeout: ${idle}, reconnect: ${reconnect}}
inbound:
  ack: {when: id, send: '{"done":"{{frame.id}}"}'}
  event_path: event
  mapping: {conversation_id: chat, sender_id: from, content: text}
  dedup: {key: "{{event.id}}"}
`);
  opened.push(defined);
  await defined.channel.start(defined.host);
  await vi.waitFor(() => expect(peers.length).toBe(1));
  return defined;
}

const peer = (): WebSocketPeer => peers.at(-1) ?? expect.unreachable("nobody has connected");
const frame = (id: string, text = "hello"): string =>
  JSON.stringify({ id, event: { id, chat: "c", from: "u", text } });

/** Moves time until something is so: timers are set by what happens on sockets. */
async function advanceUntil(
  { clock }: DefinedChannel,
  byMs: number,
  isSo: () => void,
): Promise<void> {
  await vi.waitFor(
    () => {
      clock.advance(byMs);
      isSo();
    },
    { timeout: 10_000, interval: 20 },
  );
}

describe("a channel over a WebSocket", () => {
  it("acknowledges what is stored and what is none of its business, and nothing that is refused", async () => {
    const { host } = await open();
    peer().sendText(frame("1"));
    peer().sendText(JSON.stringify({ id: "2", hello: true }));
    await vi.waitFor(() =>
      expect(peer().received.toSorted()).toEqual(['{"done":"1"}', '{"done":"2"}']),
    );
    host.answerWith(() => ({ kind: "refused", reason: "the disk is full", retryAfterMs: 2_000 }));
    peer().sendText(frame("3", "lost"));
    await vi.waitFor(() => expect(host.contents()).toEqual(["hello", "lost"]));
    host.answerWith(() => ({ kind: "accepted" }));
    peer().sendText(frame("3", "lost"));
    await vi.waitFor(() => expect(peer().received.at(-1)).toBe('{"done":"3"}'));
  });

  it("does not acknowledge before a message is on disk", async () => {
    const { host } = await open();
    const storing = Promise.withResolvers<void>();
    host.answerWith(async () => {
      await storing.promise;
      return { kind: "accepted" };
    });
    peer().sendText(frame("1"));
    await vi.waitFor(() => expect(host.contents()).toEqual(["hello"]));
    expect(peer().received).toEqual([]);
    storing.resolve();
    await vi.waitFor(() => expect(peer().received).toEqual(['{"done":"1"}']));
  });

  it("takes frames of many megabytes and messages in pieces", async () => {
    const { host } = await open();
    const large = "ü".repeat(4_000_000);
    peer().sendText(frame("1", large));
    await vi.waitFor(() => expect(host.contents()).toEqual([large]), { timeout: 15_000 });
    const bytes = Buffer.from(frame("2", "in pieces 🎉"));
    const pieces = [bytes.subarray(0, 50), bytes.subarray(50)];
    peer().sendRaw(Buffer.concat([Buffer.from([0x01, 50]), pieces[0] ?? Buffer.alloc(0)]));
    peer().sendRaw(Buffer.from([0x89, 2, 0x68, 0x69]));
    const rest = pieces[1] ?? Buffer.alloc(0);
    peer().sendRaw(Buffer.concat([Buffer.from([0x80, rest.length]), rest]));
    await vi.waitFor(() => expect(host.contents()[1]).toBe("in pieces 🎉"));
  });

  it.each([
    ["no UTF-8", [0x81, 2, 0xff, 0xfe]],
    ["a message too large", [0x81, 127, 0, 0, 0, 0, 0x7f, 0, 0, 0]],
    ["an unknown kind of frame", [0x83, 0]],
    ["a masked frame", [0x81, 0x82, 1, 2, 3, 4, 0x7a, 0x7f]],
    ["the middle of nothing", [0x80, 1, 0x78]],
  ])("ends a connection that brings %s, and opens another one", async (_, bytes) => {
    const defined = await open();
    peer().sendRaw(Buffer.from(bytes));
    await advanceUntil(defined, 500, () => expect(peers.length).toBe(2));
    peer().sendText(frame("1"));
    await vi.waitFor(() => expect(defined.host.contents()).toEqual(["hello"]));
  });

  it("comes back with a new sign-in, ever later while nobody answers, and soon again after a good time", async () => {
    const defined = await open();
    const { clock } = defined;
    refusing = true;
    peer().drop();
    await advanceUntil(defined, 1_000, () => expect(signIns).toBeGreaterThan(4));
    refusing = false;
    await advanceUntil(defined, 1_000, () => expect(peers.length).toBe(2));
    clock.advance(20_000);
    const before = signIns;
    const startMs = clock.now();
    peer().close();
    await advanceUntil(defined, 250, () => expect(peers.length).toBe(3));
    expect(signIns).toBe(before + 1);
    // Without the reset it would have waited for eight seconds; advancing goes on while sockets open.
    expect(clock.now() - startMs).toBeGreaterThanOrEqual(750);
  });

  it("leaves a peer that shows no sign of life, and keeps one that only answers pings", async () => {
    const defined = await open(undefined, "10s");
    for (let round = 0; round < 4; round += 1) {
      const pings = peer().pings();
      defined.clock.advance(5_000);
      await vi.waitFor(() => expect(peer().pings()).toBe(pings + 1));
      // The answer has arrived once a later frame has.
      peer().sendText(frame(`r${round}`));
      await vi.waitFor(() => expect(defined.host.messages.length).toBe(round + 1));
    }
    expect(peers.length).toBe(1);
    peer().setAlive(false);
    await advanceUntil(defined, 5_000, () => expect(peers.length).toBe(2));
  });

  it("stays away when the definition says so", async () => {
    const { host } = await open("{enabled: false}");
    peer().drop();
    await vi.waitFor(() => expect(server.openConnections()).toBe(1));
    expect(host.messages).toEqual([]);
  });

  it("keeps trying when the platform is away at the start", async () => {
    refusing = true;
    const defined = defineChannel(`
id: stub
connection: {url: "${server.url.replace("http", "ws")}/socket"}
inbound: {mapping: {conversation_id: chat, sender_id: from, content: text}}
`);
    opened.push(defined);
    await defined.channel.start(defined.host);
    refusing = false;
    await advanceUntil(defined, 500, () => expect(peers.length).toBe(1));
  });

  it("does not start when the platform refuses who we are", async () => {
    server.intercept(() => ({ json: { ok: false, error: "invalid_auth" } }));
    const defined = defineChannel(
      `{id: stub, init: [{name: a, url: "${server.url}/x"}], connection: {url: "ws://127.0.0.1:1"}, inbound: {}}`,
      { clock: systemClock },
    );
    opened.push(defined);
    await expect(defined.channel.start(defined.host)).rejects.toThrow(
      /^init step "a" failed: http:[^ ]+ answered with a refusal: invalid_auth; check the settings/,
    );
  });
});
