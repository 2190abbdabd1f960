import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { defineChannel, type DefinedChannel } from "./testing/define-channel.ts";
import { startStubServer, type StubAnswer, type StubServer } from "./testing/stub-server.ts";
import { createVolatileMemory } from "./testing/volatile-memory.ts";
import type { ChannelMemory } from "./written-value.ts";

let server: StubServer;
let next: (offset: string) => StubAnswer;
const opened: DefinedChannel[] = [];

beforeEach(async () => {
  next = () => ({ json: { result: [] } });
  server = await startStubServer({ handle: ({ query }) => next(query.get("offset") ?? "") });
});

afterEach(async () => {
  for (const each of opened.splice(0)) await each[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function open(memory: ChannelMemory = createVolatileMemory()): Promise<DefinedChannel> {
  const defined = defineChannel(
    `
id: stub
inbound:
  polling: {url: "${server.url}/updates?offset={{self.poll_offset}}", interval: 5s, result_path: result, cursor_field: n}
  mapping: {conversation_id: chat, sender_id: from, content: text}
  dedup: {key: "{{event.n}}"}
`,
    { memory },
  );
  opened.push(defined);
  await defined.channel.start(defined.host);
  return defined;
}

const offsets = (): (string | null)[] => server.requests.map(({ query }) => query.get("offset"));
const update = (n: number): unknown => ({ n, chat: "c", from: "u", text: `message ${n}` });

async function advanceUntil({ clock }: DefinedChannel, isSo: () => void): Promise<void> {
  await vi.waitFor(
    () => {
      clock.advance(1_000);
      isSo();
    },
    { timeout: 15_000, interval: 20 },
  );
}

describe("a channel that asks", () => {
  it("asks at once, then in its interval, each time behind what it has", async () => {
    next = (offset) => ({ json: { result: offset === "" ? [update(7), update(9)] : [] } });
    const defined = await open();
    await vi.waitFor(() => expect(defined.host.contents()).toEqual(["message 7", "message 9"]));
    await advanceUntil(defined, () => expect(offsets()).toEqual(["", "10"]));
  });

  it("goes on behind what an earlier run had", async () => {
    const memory = createVolatileMemory();
    next = (offset) => ({ json: { result: offset === "" ? [update(7)] : [] } });
    const first = await open(memory);
    await vi.waitFor(async () => expect(await memory.get("poll_offset")).toBe("8"));
    await first.channel[Symbol.asyncDispose]();
    await open(memory);
    await vi.waitFor(() => expect(offsets().at(-1)).toBe("8"));
  });

  it("asks again for what could not be stored, and not for what could", async () => {
    next = (offset) => ({
      json: { result: [1, 2, 3].filter((n) => n >= Number(offset)).map(update) },
    });
    const defined = await open();
    let isFull = true;
    defined.host.answerWith(({ content }) =>
      isFull && content === "message 2"
        ? { kind: "refused", reason: "the disk is full", retryAfterMs: 2_000 }
        : { kind: "accepted" },
    );
    await advanceUntil(defined, () => expect(offsets()).toEqual(["", "2"]));
    isFull = false;
    await advanceUntil(defined, () => expect(offsets().at(-1)).toBe("4"));
  });

  it("is patient with a platform that asks for it, and asks again after an error", async () => {
    next = () => ({ status: 429, json: { ok: false, parameters: { retry_after: 30 } } });
    const defined = await open();
    const startMs = defined.clock.now();
    await vi.waitFor(() => expect(server.requests.length).toBe(1));
    await advanceUntil(defined, () => expect(server.requests.length).toBe(2));
    expect(defined.clock.now() - startMs).toBeGreaterThanOrEqual(30_000);
    next = () => ({ status: 500 });
    await advanceUntil(defined, () => expect(server.requests.length).toBe(4));
  }, 60_000);

  it("takes the whole answer for one event where no path leads to a list", async () => {
    const defined = defineChannel(`
id: stub
inbound:
  polling: {url: "${server.url}/state", interval: 1h}
  mapping: {conversation_id: chat, sender_id: from, content: text}
`);
    opened.push(defined);
    next = () => ({ json: update(1) });
    await defined.channel.start(defined.host);
    await vi.waitFor(() => expect(defined.host.contents()).toEqual(["message 1"]));
  });
});
