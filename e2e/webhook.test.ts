import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  createModelServer,
  type ModelServer,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore, type CoreProcess } from "./support/core-process.ts";
import { createScratch, webhookChannel } from "./support/scratch.ts";
import { createWebhookPeer, type WebhookPeer } from "./support/webhook-peer.ts";

const patient = { timeout: 60_000 };
const secret = "a-signing-secret-of-good-length";

const sign = (text: string, key = secret): string =>
  `sha256=${createHmac("sha256", key).update(text).digest("hex")}`;

interface Answer {
  readonly status: number;
  readonly document: Readonly<Record<string, unknown>>;
}

interface Signed extends AsyncDisposable {
  readonly core: CoreProcess;
  readonly peer: WebhookPeer;
  readonly models: ModelServer;
  readonly post: (body: string, headers?: Readonly<Record<string, string>>) => Promise<Answer>;
  /** Resolves once these messages, and no others, are answered, in this order. */
  readonly repliesTo: (ids: readonly string[]) => Promise<void>;
}

/** A core whose only channel is a webhook with a secret. */
async function startSigned(): Promise<Signed> {
  await using parts = new AsyncDisposableStack();
  const scratch = parts.use(createScratch());
  const peer = parts.use(await createWebhookPeer({ channel: "web", door: () => "" }));
  const models = parts.use(await createModelServer());
  const configPath = scratch.writeConfig(models.url, webhookChannel(peer.url, { secret }));
  const core = parts.use(startCore({ configPath }));
  const door = await core.door();
  const built = parts.move();
  return {
    core,
    peer,
    models,
    post: async (body, headers = { "x-opentalon-signature": sign(body) }) => {
      const response = await fetch(`http://${door}/api/channels/web/inbound`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body,
      });
      return {
        status: response.status,
        document: (await response.json()) as Readonly<Record<string, unknown>>,
      };
    },
    repliesTo: async (ids) => {
      const answered = (): readonly unknown[] =>
        peer.arrived.map(({ metadata }) => metadata["in_reply_to"]);
      await expect.poll(answered, patient).toEqual(ids);
    },
    [Symbol.asyncDispose]: () => built.disposeAsync(),
  };
}

const toBody = (id: string, content = "hello"): string =>
  JSON.stringify({ id, conversation_id: "room", sender_id: "ann", content });

describe("a webhook with a secret", () => {
  it("takes what is signed rightly, and signs its replies so that they can be verified", async () => {
    await using signed = await startSigned();
    const { post, peer, repliesTo } = signed;
    expect(await post(toBody("1", "Grüße 🎉"))).toEqual({
      status: 202,
      document: { status: "accepted" },
    });
    expect(await post(toBody("1", "Grüße 🎉"))).toEqual({
      status: 202,
      document: { status: "duplicate" },
    });
    const now = String(Math.floor(Date.now() / 1_000));
    const stamped = toBody("2");
    const headers = {
      "x-opentalon-timestamp": now,
      "x-opentalon-signature": sign(`${now}.${stamped}`),
    };
    expect((await post(stamped, headers)).status).toBe(202);
    await repliesTo(["1", "2"]);
    expect(peer.arrived[0]?.content).toBe("answer: Grüße 🎉");
    for (const { text, signature } of peer.arrived) expect(signature).toBe(sign(text));
    expect(new Set(peer.arrived.map(({ deliveryId }) => deliveryId)).size).toBe(2);
  });

  it("refuses what is not signed, signed by somebody else, changed on the way, or sent again later", async () => {
    await using signed = await startSigned();
    const { post, models, core } = signed;
    const body = toBody("1");
    const earlier = String(Math.floor(Date.now() / 1_000) - 3_600);
    const wrong: readonly Readonly<Record<string, string>>[] = [
      {},
      { "x-opentalon-signature": "" },
      { "x-opentalon-signature": sign(body, "another-secret-of-good-length") },
      { "x-opentalon-signature": sign(toBody("1", "hell0")) },
      { "x-opentalon-timestamp": earlier, "x-opentalon-signature": sign(`${earlier}.${body}`) },
      // The timestamp is covered by the signature, so it cannot be renewed.
      {
        "x-opentalon-timestamp": String(Math.floor(Date.now() / 1_000)),
        "x-opentalon-signature": sign(`${earlier}.${body}`),
      },
    ];
    for (const headers of wrong) {
      const { status, document } = await post(body, headers);
      expect(status).toBe(401);
      expect(document["error"]).toEqual(expect.any(String));
      expect(JSON.stringify(document)).not.toContain(sign(body).slice(7));
    }
    expect((await post(body)).document).toEqual({ status: "accepted" });
    await signed.repliesTo(["1"]);
    expect(models.requests).toHaveLength(1);
    expect(JSON.stringify(core.log) + core.otherErrors()).not.toContain(secret);
  });

  it("refuses what is no message with a status and words that say why, and goes on", async () => {
    await using signed = await startSigned();
    const { post, models } = signed;
    const signedAs = (type: string, body: string): Readonly<Record<string, string>> => ({
      "content-type": type,
      "x-opentalon-signature": sign(body),
    });
    const nameless = JSON.stringify({ id: "1", conversation_id: "room", content: "hello" });
    const anonymous = JSON.stringify({ conversation_id: "room", sender_id: "ann", content: "x" });
    const tooLong = toBody("1", "x".repeat(17_000_000));
    const cases: readonly [number, RegExp, Answer][] = [
      [400, /JSON/, await post("{ no json")],
      [400, /sender_id/, await post(nameless)],
      [400, /identity/, await post(anonymous)],
      [413, /larger than \d+ bytes/, await post(tooLong)],
      [415, /application\/json/, await post(toBody("1"), signedAs("text/plain", toBody("1")))],
    ];
    for (const [status, words, answer] of cases) {
      expect(answer.status).toBe(status);
      expect(answer.document["error"]).toMatch(words);
    }
    expect((await post(toBody("1"))).status).toBe(202);
    await signed.repliesTo(["1"]);
    expect(models.requests).toHaveLength(1);
  });
});

describe("many conversations at once", () => {
  it("are all answered, each in its order and with its own memory", async () => {
    using scratch = createScratch();
    let door = "";
    await using peer = await createWebhookPeer({ channel: "web", door: () => door });
    await using models = await createModelServer();
    const configPath = scratch.writeConfig(models.url, webhookChannel(peer.url));
    await using core = startCore({ configPath });
    door = await core.door();
    const rooms = Array.from({ length: 32 }, (_, index) => `room ${index + 1}`);
    const sequence = Array.from({ length: 20 }, (_, index) => index + 1);
    await Promise.all(
      rooms.map(async (room) => {
        for (const number of sequence) {
          const message = {
            id: `${room}/${number}`,
            conversation: room,
            content: `${room}: ${number}`,
          };
          expect(await peer.post(message)).toBe(202);
        }
      }),
    );
    await expect.poll(() => peer.arrived.length, patient).toBe(rooms.length * sequence.length);
    for (const room of rooms) {
      const replies = peer.arrived.filter(({ conversationId }) => conversationId === room);
      expect(replies.map(({ content }) => content)).toEqual(
        sequence.map((number) => `answer: ${room}: ${number}`),
      );
      const last = models.requests.findLast(
        ({ body }) => body.messages?.at(-1)?.content === `${room}: 20`,
      );
      const remembered = last?.body.messages?.filter(({ role }) => role === "user") ?? [];
      expect(remembered.every(({ content }) => content?.startsWith(`${room}: `))).toBe(true);
      expect(remembered).toHaveLength(20);
    }
    core.signal("SIGTERM");
    expect(await core.exited).toBe(0);
    expect(core.log.filter(({ level }) => level >= 50)).toEqual([]);
  });
});
