import { createHmac } from "node:crypto";
import { createServer, type AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { createSecret } from "../base/secret.ts";
import type { Channel } from "../domain/channel.ts";
import type { OutboundMessage } from "../domain/message.ts";
import { type FakePlatform, startFakePlatform } from "./testing/fake-platform.ts";
import { type PlainDoor, startPlainDoor } from "./testing/plain-door.ts";
import {
  createRecordingHost,
  type RecordingHost,
  rememberIdentities,
} from "./testing/recording-host.ts";
import { createWebhookChannel, type WebhookChannelOptions } from "./webhook-channel.ts";
import { createWebhookInlet, type WebhookInlet } from "./webhook-inlet.ts";

const secret = "a-secret-of-good-length";
const clock = createManualClock();

let inlet: WebhookInlet;
let door: PlainDoor;
let platform: FakePlatform;
let host: RecordingHost;
const channels: Channel[] = [];

beforeEach(async () => {
  inlet = createWebhookInlet();
  door = await startPlainDoor(inlet.routes);
  platform = await startFakePlatform();
  host = createRecordingHost();
});

afterEach(async () => {
  for (const channel of channels.splice(0)) await channel[Symbol.asyncDispose]();
  await door[Symbol.asyncDispose]();
  await platform[Symbol.asyncDispose]();
});

async function startChannel(
  config: Readonly<Record<string, unknown>> = { secret },
  more: Partial<WebhookChannelOptions> = {},
): Promise<Channel> {
  const channel = createWebhookChannel({
    name: "web",
    url: platform.url,
    config,
    inlet,
    doorChecksCallers: true,
    clock,
    log: createSilentLog(),
    ...more,
  });
  channels.push(channel);
  await channel.start(host);
  return channel;
}

const least = { id: "m1", conversation_id: "c1", sender_id: "u1", content: "hello" };

function signature(text: string): string {
  return createHmac("sha256", secret).update(text).digest("hex");
}

async function post(
  document: unknown,
  headers: Readonly<Record<string, string>> = {},
  path = "/api/channels/web/inbound",
): Promise<{ status: number; answer: Record<string, unknown>; retryAfter: string | null }> {
  const body = typeof document === "string" ? document : JSON.stringify(document);
  const signed = { "x-opentalon-signature": `sha256=${signature(body)}` };
  const response = await fetch(door.url + path, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...signed, ...headers },
  });
  return {
    status: response.status,
    answer: (await response.json()) as Record<string, unknown>,
    retryAfter: response.headers.get("retry-after"),
  };
}

const reply: OutboundMessage = {
  channel: "web",
  conversationId: "c1",
  threadId: "t1",
  content: "Grüße 🎉",
  files: [],
  metadata: { in_reply_to: "m1" },
};

describe("messages that come in over a webhook", () => {
  it("are accepted once they are stored", async () => {
    await startChannel();
    let isStored = false;
    host.answerWith(async () => {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      isStored = true;
      return { kind: "accepted" };
    });
    const { status, answer } = await post({ ...least, thread_id: "t", sender_name: "Ada" });
    expect(isStored).toBe(true);
    expect(status).toBe(202);
    expect(answer).toEqual({ status: "accepted" });
    expect(host.messages[0]).toEqual({
      channelKind: "webhook",
      platformMessageId: "m1",
      conversationId: "c1",
      threadId: "t",
      senderId: "u1",
      senderName: "Ada",
      content: "hello",
      files: [],
      metadata: {},
      sentAtMs: clock.now(),
    });
  });

  it("are told apart from a second delivery", async () => {
    await startChannel();
    host.answerWith(rememberIdentities());
    expect((await post(least)).answer).toEqual({ status: "accepted" });
    const again = await post(least);
    expect(again.status).toBe(202);
    expect(again.answer).toEqual({ status: "duplicate" });
  });

  it("reach their channel through the shared address too", async () => {
    await startChannel();
    const shared = "/api/channels/inbound";
    expect((await post({ ...least, channel_id: "web" }, {}, shared)).status).toBe(202);
    expect((await post(least, {}, `${shared}?channel=web`)).status).toBe(202);
    expect((await post({ ...least, channel_id: "other" }, {}, shared)).status).toBe(404);
    expect((await post(least, {}, shared)).status).toBe(400);
    expect((await post("nonsense", {}, shared)).status).toBe(400);
    expect((await post("null", {}, shared)).status).toBe(400);
    expect((await post(least, {}, "/api/channels/other/inbound")).status).toBe(404);
  });

  it("take their identity from a header that is not signed only together with a signed time", async () => {
    await startChannel();
    host.answerWith(rememberIdentities());
    const { id: _, ...nameless } = least;
    const body = JSON.stringify(nameless);
    const at = async (key: string, ageMs = 0): Promise<unknown> => {
      const timestamp = String(Math.floor((clock.now() - ageMs) / 1_000));
      const headers = {
        "idempotency-key": key,
        "x-opentalon-timestamp": timestamp,
        "x-opentalon-signature": signature(`${timestamp}.${body}`),
      };
      const { status, answer } = await post(body, headers);
      return answer["status"] ?? status;
    };
    expect(await at("one")).toBe("accepted");
    expect(await at("one")).toBe("duplicate");
    // What was recorded on the way may not come again under a name of its own.
    expect(await at("two")).toBe(409);
    clock.advance(1_000);
    expect(await at("two")).toBe("accepted");
    // Nor what was signed before this process could have seen it.
    expect(await at("three", 60_000)).toBe(503);
    expect(host.messages.map(({ platformMessageId }) => platformMessageId)).toEqual([
      "one",
      "one",
      "two",
    ]);
  });

  it("take their identity from the body only, where that is all that is signed", async () => {
    await startChannel();
    host.answerWith(rememberIdentities());
    const { id: _, ...nameless } = least;
    for (const key of ["captured", "replayed"]) {
      const { status, answer } = await post(nameless, { "idempotency-key": key });
      expect(status).toBe(400);
      expect(answer["error"]).toMatch(/`metadata.message_id`.*Idempotency-Key is not signed/);
    }
    const named = { ...nameless, metadata: { message_id: "from-metadata" } };
    expect((await post(named, { "idempotency-key": "a" })).answer).toEqual({ status: "accepted" });
    expect((await post(named, { "idempotency-key": "b" })).answer).toEqual({ status: "duplicate" });
    await post({ ...named, id: "from-body" });
    expect(host.messages.map(({ platformMessageId }) => platformMessageId)).toEqual([
      "from-metadata",
      "from-metadata",
      "from-body",
    ]);
  });

  it("take their identity from the body, else from a header, else from metadata, without a secret", async () => {
    await startChannel({});
    const { id: _, ...nameless } = least;
    const withMetadata = { ...nameless, metadata: { message_id: "from-metadata" } };
    await post({ ...withMetadata, id: "from-body" }, { "idempotency-key": "from-header" });
    await post(withMetadata, { "idempotency-key": "from-header" });
    await post(withMetadata);
    expect(host.messages.map(({ platformMessageId }) => platformMessageId)).toEqual([
      "from-body",
      "from-header",
      "from-metadata",
    ]);
    const refused = await post(nameless);
    expect(refused.status).toBe(400);
    expect(refused.answer["error"]).toMatch(/Idempotency-Key/);
  });

  it("are refused with a time to come back when they cannot be stored", async () => {
    await startChannel();
    host.answerWith(() => ({ kind: "refused", reason: "inbox full", retryAfterMs: 2_500 }));
    const { status, answer, retryAfter } = await post(least);
    expect([status, retryAfter]).toEqual([503, "3"]);
    expect(answer).toEqual({ error: "inbox full" });
  });

  it("are refused for good when the fault is theirs", async () => {
    await startChannel();
    host.answerWith(() => ({ kind: "refused", reason: "the text is too long", retryAfterMs: 0 }));
    const { status, answer } = await post(least);
    expect(status).toBe(400);
    expect(answer).toEqual({ error: "the text is too long" });
  });

  it("are refused with what was expected when they are not messages", async () => {
    await startChannel();
    expect((await post("{")).status).toBe(400);
    const missing = await post({ ...least, sender_id: undefined });
    expect(missing.status).toBe(400);
    expect(missing.answer["error"]).toMatch(/sender_id/);
    expect((await post(least, { "content-type": "text/plain" })).status).toBe(415);
    expect((await post(least, { "content-encoding": "gzip" })).status).toBe(415);
    const json = { "content-type": "application/vnd.acme+json; charset=utf-8" };
    expect((await post(least, json)).status).toBe(202);
    expect(host.messages).toHaveLength(1);
  });

  it("may say which kind of platform they come from, but not that it is the console", async () => {
    await startChannel({ secret, kind: "acme" });
    await post({ ...least, id: "1", kind: "slack" });
    await post({ ...least, id: "2", kind: "console" });
    await post({ ...least, id: "3", kind: "No Such Thing!" });
    expect(host.messages.map(({ channelKind }) => channelKind)).toEqual(["slack", "acme", "acme"]);
  });

  it("wait outside before the channel starts and after its intake stopped", async () => {
    const channel = await startChannel();
    await channel.stopIntake();
    const { status, retryAfter } = await post(least);
    expect([status, retryAfter]).toEqual([503, "5"]);
    await channel[Symbol.asyncDispose]();
    expect((await post(least)).status).toBe(404);
    expect(host.messages).toEqual([]);
  });
});

describe("signatures", () => {
  it("may be bare hex, in either case", async () => {
    await startChannel();
    const hex = signature(JSON.stringify(least));
    for (const text of [hex, hex.toUpperCase(), `SHA256=${hex}`]) {
      expect((await post(least, { "x-opentalon-signature": text })).status).toBe(202);
    }
  });

  it("of others, of other bodies and of other forms are refused", async () => {
    await startChannel();
    const body = JSON.stringify(least);
    const wrong = [
      signature(`${body} `),
      createHmac("sha256", "another-secret").update(body).digest("hex"),
      createHmac("sha1", secret).update(body).digest("hex"),
      `sha256=${signature(body)}00`,
      "sha256=",
      "none",
      "",
    ];
    for (const text of wrong) {
      const { status, answer } = await post(body, { "x-opentalon-signature": text });
      expect(status).toBe(401);
      expect(JSON.stringify(answer)).not.toContain(signature(body));
    }
    expect(host.messages).toEqual([]);
  });

  it("are checked before anything of the body is believed", async () => {
    await startChannel();
    const wrong = { "x-opentalon-signature": "0".repeat(64), "content-type": "text/plain" };
    expect((await post("not JSON", wrong)).status).toBe(401);
  });

  it("cover the timestamp when there is one, which must be of now", async () => {
    await startChannel();
    const body = JSON.stringify(least);
    const at = async (timestamp: string): Promise<number> => {
      const headers = {
        "x-opentalon-timestamp": timestamp,
        "x-opentalon-signature": signature(`${timestamp}.${body}`),
      };
      return (await post(body, headers)).status;
    };
    const nowSeconds = Math.floor(clock.now() / 1_000);
    expect(await at(String(nowSeconds))).toBe(202);
    expect(await at(String(nowSeconds - 299))).toBe(202);
    expect(await at(String(nowSeconds - 301))).toBe(401);
    expect(await at(String(nowSeconds + 302))).toBe(401);
    expect(await at("soon")).toBe(401);
    expect((await post(body, { "x-opentalon-timestamp": String(nowSeconds) })).status).toBe(401);
  });

  it("have to cover a timestamp where the settings say so", async () => {
    await startChannel({ secret, require_timestamp: true });
    const body = JSON.stringify(least);
    const refused = await post(body);
    expect(refused.status).toBe(401);
    expect(refused.answer["error"]).toMatch(/X-OpenTalon-Timestamp/);
    const timestamp = String(Math.floor(clock.now() / 1_000));
    const headers = {
      "x-opentalon-timestamp": timestamp,
      "x-opentalon-signature": signature(`${timestamp}.${body}`),
    };
    expect((await post(body, headers)).status).toBe(202);
    expect(host.messages).toHaveLength(1);
    await expect(startChannel({ require_timestamp: true })).rejects.toThrow(/needs config.secret/);
    await expect(startChannel({ secret, require_timestamp: "yes" })).rejects.toThrow(/boolean/);
  });

  it("may come from either name of the setting, as a secret or as text", async () => {
    for (const config of [{ hmac_secret: secret }, { secret: createSecret(secret) }]) {
      const channel = await startChannel(config);
      expect((await post(least)).status).toBe(202);
      expect((await post(least, { "x-opentalon-signature": "" })).status).toBe(401);
      await channel[Symbol.asyncDispose]();
    }
  });

  it("are not needed without a secret where the door knows its callers", async () => {
    await startChannel({});
    expect((await post(least, { "x-opentalon-signature": "" })).status).toBe(202);
    door.setTrusted(false);
    expect((await post(least, { "x-opentalon-signature": "" })).status).toBe(401);
  });

  it("are needed, at the start already, where the door lets everybody in", async () => {
    await expect(startChannel({}, { doorChecksCallers: false })).rejects.toThrow(/config\.secret/);
    await startChannel({ secret }, { doorChecksCallers: false });
  });

  it("are never switched off by a secret that is empty or of another form", async () => {
    await expect(startChannel({ secret: "" })).rejects.toThrow(/not empty/);
    await expect(startChannel({ secret: 12_345 })).rejects.toThrow(/text/);
  });
});

describe("replies that go out over a webhook", () => {
  it("are posted to the URL as it stands, signed, with an identity", async () => {
    const channel = await startChannel();
    await channel.send(reply, "delivery-1");
    const [request] = platform.posted;
    expect(request?.path).toBe("/outbound?to=us");
    expect(request?.headers["content-type"]).toBe("application/json");
    expect(request?.headers["idempotency-key"]).toBe("delivery-1");
    expect(request?.headers["x-opentalon-signature"]).toBe(
      `sha256=${signature(request?.body.toString() ?? "")}`,
    );
    expect(request?.document).toEqual({
      conversation_id: "c1",
      thread_id: "t1",
      content: "Grüße 🎉",
      metadata: { in_reply_to: "m1" },
    });
  });

  it("may be sent again where the settings say that repeats are recognised", async () => {
    expect((await startChannel()).knowsRepeats).toBe(false);
    expect((await startChannel({ secret, knows_repeats: true })).knowsRepeats).toBe(true);
    await expect(startChannel({ secret, knows_repeats: "yes" })).rejects.toThrow(/boolean/);
  });

  it("carry a signed time where the settings say so", async () => {
    const channel = await startChannel({ secret, sign_timestamp: true });
    await channel.send(reply, "delivery-1");
    const { headers, body = Buffer.alloc(0) } = platform.posted[0] ?? {};
    const timestamp = String(headers?.["x-opentalon-timestamp"]);
    expect(timestamp).toBe(String(Math.floor(clock.now() / 1_000)));
    expect(headers?.["x-opentalon-signature"]).toBe(
      `sha256=${signature(`${timestamp}.${body.toString()}`)}`,
    );
    await expect(startChannel({ sign_timestamp: true })).rejects.toThrow(/needs config.secret/);
  });

  it("carry no signature without a secret, and a password in the URL as basic authentication", async () => {
    const url = new URL(platform.url);
    url.username = "me";
    url.password = "p@ss";
    const channel = await startChannel({}, { url });
    await channel.send(reply, "d");
    const { headers } = platform.posted[0] ?? {};
    expect(headers).not.toHaveProperty("x-opentalon-signature");
    expect(headers?.authorization).toBe(`Basic ${Buffer.from("me:p@ss").toString("base64")}`);
  });

  it("go over connections that are kept, and dispose closes them", async () => {
    const channel = await startChannel();
    for (let i = 0; i < 20; i += 1) await channel.send(reply, `d${i}`);
    expect(platform.connectionCount()).toBe(1);
    await channel[Symbol.asyncDispose]();
    await vi.waitFor(() => expect(platform.openConnections()).toBe(0));
  });

  it.each([400, 404, 429, 500, 503, 301, 307])(
    "are not delivered when the platform answers %i",
    async (status) => {
      const channel = await startChannel();
      platform.answerWith((response) => {
        response.writeHead(status, { location: "/elsewhere", "retry-after": "7" }).end("no");
      });
      await expect(channel.send(reply, "d")).rejects.toMatchObject({
        code: "CHANNEL_REFUSED",
        outcome: "not-delivered",
        retryAfterMs: 7_000,
        message: expect.stringContaining(String(status)) as string,
      });
      expect(platform.posted).toHaveLength(1);
    },
  );

  it("understand a date as the time to come back", async () => {
    const channel = await startChannel();
    const date = new Date(clock.now() + 60_000).toUTCString();
    platform.answerWith((response) => response.writeHead(503, { "retry-after": date }).end());
    const error: unknown = await channel.send(reply, "d").catch((problem: unknown) => problem);
    const { retryAfterMs } = error as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThan(58_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  });

  it("are not delivered when nobody listens, and the error tells no password", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => {
      closed.listen(0, "127.0.0.1", resolve);
    });
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => {
      closed.close(resolve);
    });
    const url = new URL(`http://me:hunter2@127.0.0.1:${port}/?token=hunter2`);
    const channel = await startChannel({ secret }, { url });
    const sent = channel.send(reply, "d");
    await expect(sent).rejects.toMatchObject({ outcome: "not-delivered" });
    await expect(sent).rejects.toThrow(/^(?!.*hunter2)/);
    const tls = new URL(platform.url.href.replace("http:", "https:"));
    const secure = await startChannel({ secret }, { name: "tls", url: tls });
    await expect(secure.send(reply, "d")).rejects.toMatchObject({ outcome: "not-delivered" });
  });

  it("have an unknown outcome when the connection breaks or nothing comes back in time", async () => {
    const channel = await startChannel();
    platform.answerWith((response) => response.destroy());
    await expect(channel.send(reply, "d1")).rejects.toMatchObject({ outcome: "unknown" });
    platform.answerWith(() => {});
    const silent = channel.send(reply, "d2");
    silent.catch(() => {});
    await vi.waitFor(() => expect(platform.posted).toHaveLength(2));
    clock.advance(30_000);
    await expect(silent).rejects.toMatchObject({ outcome: "unknown" });
    const cut = channel.send(reply, "d3");
    cut.catch(() => {});
    await vi.waitFor(() => expect(platform.posted).toHaveLength(3));
    await channel[Symbol.asyncDispose]();
    await expect(cut).rejects.toMatchObject({ outcome: "unknown" });
  });

  it("have an unknown outcome also when they waited for a connection that others used", async () => {
    const channel = await startChannel();
    const waiting: (() => void)[] = [];
    platform.answerWith((response) => {
      if (platform.posted.length > 64) response.destroy();
      else waiting.push(() => response.end());
    });
    const sends = Array.from({ length: 65 }, (_, index) => channel.send(reply, `d${index}`));
    const outcomes = Promise.allSettled(sends);
    await vi.waitFor(() => expect(waiting).toHaveLength(64));
    for (const finish of waiting) finish();
    const last = (await outcomes).at(-1);
    expect(platform.connectionCount()).toBe(64);
    expect(last).toMatchObject({ status: "rejected", reason: { outcome: "unknown" } });
  });

  it("are delivered although the answer has an endless body", async () => {
    const channel = await startChannel();
    platform.answerWith((response) => {
      response.writeHead(200);
      const pour = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(16_384), () => setImmediate(pour));
      };
      pour();
    });
    await channel.send(reply, "d");
    await vi.waitFor(() => expect(platform.openConnections()).toBe(0));
  });
});
