import { createHmac } from "node:crypto";
import { systemClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import type { Channel } from "../domain/channel.ts";
import { type ChannelBench, describeChannelContract } from "./channel.contract.ts";
import { startFakePlatform } from "./testing/fake-platform.ts";
import { startPlainDoor } from "./testing/plain-door.ts";
import { createSteadyCaller } from "./testing/steady-caller.ts";
import { createWebhookChannel } from "./webhook-channel.ts";
import { createWebhookInlet } from "./webhook-inlet.ts";

const secret = "a-secret-of-good-length";

interface Sent {
  readonly body: string | Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Signed as of that time, by that secret. */
function sign(body: string | Buffer, atMs = Date.now(), key = secret): Sent {
  const timestamp = String(Math.floor(atMs / 1_000));
  const hmac = createHmac("sha256", key).update(`${timestamp}.`).update(body).digest("hex");
  return {
    body,
    headers: {
      "content-type": "application/json",
      "x-opentalon-timestamp": timestamp,
      "x-opentalon-signature": `sha256=${hmac}`,
    },
  };
}

async function openWebhook(): Promise<ChannelBench> {
  const inlet = createWebhookInlet();
  const door = await startPlainDoor(inlet.routes);
  const platform = await startFakePlatform();
  const caller = createSteadyCaller();
  const open = (): Channel =>
    createWebhookChannel({
      name: "web",
      url: platform.url,
      config: { secret, require_timestamp: true },
      inlet,
      doorChecksCallers: false,
      clock: systemClock,
      log: createSilentLog(),
    });
  let channel = open();
  let count = 0;
  let sawRefusal = false;
  let newest: Sent = { body: "", headers: {} };

  const post = async ({ body, headers }: Sent): Promise<string> => {
    const { status } = await caller.post(`${door.url}/api/channels/web/inbound`, body, headers);
    sawRefusal ||= status >= 400;
    return String(status);
  };
  const toBody = (content: string, more: Readonly<Record<string, unknown>> = {}): string => {
    const id = `m${(count += 1)}`;
    return JSON.stringify({ id, conversation_id: "c", sender_id: "u", content, ...more });
  };
  const say = async (content: string, more: Readonly<Record<string, unknown>> = {}) => {
    newest = sign(toBody(content, more));
    await post(newest);
  };
  const toFiles = () =>
    platform.posted.flatMap(({ document }) => (document["files"] ?? []) as readonly OutFile[]);

  return {
    get channel() {
      return channel;
    },
    say,
    sayAll: async (contents) => {
      for (const content of contents) await say(content);
    },
    readReplies: () => platform.posted.map(({ document }) => String(document["content"])),
    sawRefusal: () => sawRefusal,
    isReleased: () => platform.openConnections() === 0,
    sayInThread: (content, thread) => say(content, { thread_id: thread }),
    readThread: (thread) =>
      platform.posted
        .filter(({ document }) => document["thread_id"] === thread)
        .map(({ document }) => String(document["content"])),
    sayWithFile: async (content) => {
      const data = Buffer.from([0, 255, 10, 13, 128]);
      const file = {
        name: "a.bin",
        mime_type: "application/x-test",
        data: data.toString("base64"),
      };
      await say(content, { files: [file] });
      return { name: "a.bin", mimeType: "application/x-test", data };
    },
    readFiles: () => toFiles().map(({ name, size }) => ({ name, size })),
    redeliver: async () => void (await post(newest)),
    reopen: async () => {
      await channel[Symbol.asyncDispose]();
      return (channel = open());
    },
    breakConnection: async () => door.cut(),
    slowDown: () => {
      const held: (() => void)[] = [];
      platform.answerWith((response) => void held.push(() => void response.end("{}")));
      return () => {
        platform.answerWith((response) => void response.end("{}"));
        for (const release of held) release();
      };
    },
    sayForged: () => post(sign(toBody("forged"), Date.now(), "a-secret-of-somebody-else")),
    replay: () => post(sign(toBody("recorded"), Date.now() - 3_600_000)),
    sayInvalidUtf8: () => {
      const [before = "", after = ""] = toBody("TEXT").split("TEXT");
      const bytes = Buffer.from([0x61, 0xff, 0x62]);
      return post(sign(Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)])));
    },
    sayOversize: () => post(sign(toBody("x".repeat(17 * 1024 * 1024)))),
    [Symbol.asyncDispose]: async () => {
      caller[Symbol.dispose]();
      await channel[Symbol.asyncDispose]();
      await door[Symbol.asyncDispose]();
      await platform[Symbol.asyncDispose]();
    },
  };
}

interface OutFile {
  readonly name: string;
  readonly size: number;
}

describeChannelContract("a webhook", openWebhook, {
  "live text": "what is posted cannot be taken back",
});
