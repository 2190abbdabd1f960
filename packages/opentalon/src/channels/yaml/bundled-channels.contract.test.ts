import { createHmac } from "node:crypto";
import { expect, vi } from "vitest";
import { type ChannelBench, describeChannelContract } from "../channel.contract.ts";
import {
  createPlatformBench,
  openPostingBench,
  type PlatformCall,
} from "./testing/platform-bench.ts";
import { slackBot, slackMessage, type SlackStub, startSlackStub } from "./testing/slack-stub.ts";
import type { StubRequest } from "./testing/stub-server.ts";
import { startTeamsStub, teamsApp, teamsMessage } from "./testing/teams-stub.ts";
import { startTelegramStub, telegramBot, telegramMessage } from "./testing/telegram-stub.ts";
import {
  startWhatsAppStub,
  whatsAppApp,
  whatsAppCall,
  whatsAppText,
} from "./testing/whatsapp-stub.ts";
import type { TelegramStub } from "./testing/telegram-stub.ts";

const patient = { timeout: 15_000, interval: 5 };
const image = Buffer.from("\u0089PNG\r\n\u001a\n…", "latin1");
const voice = Buffer.from("OggS-voice");

const isPath =
  (words: RegExp) =>
  ({ path, method }: StubRequest): boolean =>
    method !== "GET" && words.test(path);

// --- Slack

const slackThreads = { first: "1700000050.000001", second: "1700000050.000002" };

const slackFiles = ({ server }: SlackStub): object => ({
  subtype: "file_share",
  files: [
    { url_private: `${server.url}/files-pri/T1-F1/a.png`, mimetype: "image/png", name: "a.png" },
  ],
});

const readSlackThread = (slack: SlackStub) => (thread: "first" | "second") =>
  slack
    .calls("chat.postMessage")
    .filter(({ json }) => json["thread_ts"] === slackThreads[thread])
    .map(({ json }) => String(json["text"]));

async function openSlack(): Promise<ChannelBench> {
  const slack = await startSlackStub();
  const config = { bot_token: slackBot.token, app_token: slackBot.appToken, api_url: slack.apiUrl };
  const isDelivery = isPath(/chat\.postMessage/);
  const bench = createPlatformBench({ id: "slack", config, stub: slack, isDelivery });
  let newest: unknown;
  /** What is said next may meet a connection that is going. */
  let wasCut = false;
  /** Slack brings what was not acknowledged again over the next connection. */
  const bring = async (payloads: readonly unknown[]): Promise<void> => {
    let left = payloads.map((payload) => ({ payload, envelope: "" }));
    while (left.length > 0) {
      await vi.waitFor(() => expect(slack.socket()).toBeDefined(), patient);
      const socket = slack.socket();
      left = left.map(({ payload }) => ({ payload, envelope: slack.emit(payload) }));
      const findLeft = (): typeof left => {
        const acknowledged = new Set(slack.acknowledged());
        return left.filter(({ envelope }) => !acknowledged.has(envelope));
      };
      await vi.waitFor(
        () => expect(slack.socket() !== socket || findLeft().length === 0).toBe(true),
        patient,
      );
      left = findLeft();
    }
  };
  /** Waits until another connection stands: what went over the old one would be lost. */
  const untilAnew = async (end: () => void): Promise<void> => {
    await vi.waitFor(() => expect(slack.socket()).toBeDefined(), patient);
    const old = slack.socket();
    wasCut = true;
    end();
    await vi.waitFor(() => {
      expect(slack.socket()).toBeDefined();
      expect(slack.socket()).not.toBe(old);
    }, patient);
  };
  /** Our side ends the connection over what was sent, and opens another. */
  const cutOff = async (send: () => void): Promise<string> => {
    await untilAnew(send);
    return bench.findLine(/opened again/);
  };
  const say = async (content: string, more: Readonly<Record<string, unknown>> = {}) => {
    newest = slackMessage(content, more);
    if (!wasCut) return void slack.emit(newest);
    wasCut = false;
    await bring([newest]);
  };
  return {
    ...bench,
    get channel() {
      return bench.channel;
    },
    say: async (content) => say(content),
    sayAll: (contents) => bring(contents.map((content) => slackMessage(content))),
    sayInThread: (content, thread) => say(content, { thread_ts: slackThreads[thread] }),
    readThread: readSlackThread(slack),
    sayWithFile: async (content) => {
      await say(content, { ...slackFiles(slack) });
      return { name: "a.png", mimeType: "image/png", data: image };
    },
    redeliver: () => bring([newest]),
    breakConnection: () => untilAnew(() => slack.socket()?.drop()),
    sayInvalidUtf8: () =>
      cutOff(() => slack.socket()?.sendRaw(Buffer.from([0x81, 3, 0x61, 0xff, 0x62]))),
    sayOversize: () => cutOff(() => slack.socket()?.sendText("x".repeat(33 * 1024 * 1024))),
  };
}

describeChannelContract("slack", openSlack, {
  forgery: "Slack is dialled, nobody else is there",
  replay: "Slack is dialled, nobody else is there",
});

async function openSlackEvents(): Promise<ChannelBench> {
  const slack = await startSlackStub();
  const secret = "signing-secret";
  const sign = (body: string | Buffer, atMs = Date.now(), key = secret): PlatformCall => {
    const timestamp = String(Math.floor(atMs / 1_000));
    const hmac = createHmac("sha256", key).update(`v0:${timestamp}:`).update(body).digest("hex");
    return {
      body,
      headers: { "x-slack-request-timestamp": timestamp, "x-slack-signature": `v0=${hmac}` },
    };
  };
  const bench = await openPostingBench({
    id: "slack-events",
    config: { bot_token: slackBot.token, signing_secret: secret, api_url: slack.apiUrl },
    stub: slack,
    isDelivery: isPath(/chat\.postMessage/),
    path: "/slack/events",
    toBody: (content, more) => JSON.stringify(slackMessage(content, { ...more })),
    sign: (body) => sign(body),
    forge: (body) => sign(body, Date.now(), "a-secret-of-somebody-else"),
    replay: (body) => sign(body, Date.now() - 3_600_000),
  });
  return {
    ...bench,
    get channel() {
      return bench.channel;
    },
    sayInThread: (content, thread) => bench.say(content, { thread_ts: slackThreads[thread] }),
    readThread: readSlackThread(slack),
    sayWithFile: async (content) => {
      await bench.say(content, slackFiles(slack));
      return { name: "a.png", mimeType: "image/png", data: image };
    },
  };
}

describeChannelContract("slack-events", openSlackEvents, {});

// --- Telegram

const telegramTopics = { first: 5, second: 7 };

const toTopic = (thread: "first" | "second"): object => ({
  chat: { id: -1001, type: "supergroup", is_forum: true },
  is_topic_message: true,
  message_thread_id: telegramTopics[thread],
});

const readTopic = (telegram: TelegramStub) => (thread: "first" | "second") =>
  telegram
    .calls("sendMessage")
    .filter(({ json }) => json["message_thread_id"] === telegramTopics[thread])
    .map(({ json }) => String(json["text"]));

const telegramVoice = (content: string): object => ({
  text: undefined,
  caption: content,
  voice: { file_id: "voice-1", mime_type: "audio/ogg", duration: 1 },
});
const telegramFile = { name: "voice.ogg", mimeType: "audio/ogg", data: voice };
const mention = `@${telegramBot.username} `;

async function openTelegram(): Promise<ChannelBench> {
  const telegram = await startTelegramStub();
  const config = { bot_token: telegramBot.token, api_url: telegram.server.url };
  const isDelivery = isPath(/sendMessage/);
  const bench = createPlatformBench({ id: "telegram", config, stub: telegram, isDelivery });
  let newest: Readonly<Record<string, unknown>> = {};
  const say = async (content: string, more: object = {}) => {
    newest = telegramMessage(content, { ...more });
    telegram.add(newest);
  };
  /** What the next question is answered with, after the one that is open. */
  const answerOnce = async (body: Buffer): Promise<void> => {
    let isAnswered = false;
    telegram.server.intercept(({ path }) => {
      if (isAnswered || !path.endsWith("/getUpdates")) return undefined;
      isAnswered = true;
      return { body };
    });
    telegram.server.cut();
    await vi.waitFor(() => expect(isAnswered).toBe(true), patient);
    telegram.server.intercept(undefined);
  };
  return {
    ...bench,
    get channel() {
      return bench.channel;
    },
    say,
    sayAll: async (contents) => {
      for (const content of contents) await say(content);
    },
    sayInThread: (content, thread) => say(mention + content, toTopic(thread)),
    readThread: readTopic(telegram),
    sayWithFile: async (content) => {
      await say(content, telegramVoice(content));
      return telegramFile;
    },
    redeliver: async () => void telegram.add(newest),
    breakConnection: async () => telegram.server.cut(),
    sayInvalidUtf8: async () => {
      const update = { update_id: 999, ...telegramMessage("TEXT") };
      const [before = "", after = ""] = JSON.stringify({ ok: true, result: [update] }).split(
        "TEXT",
      );
      const bytes = Buffer.from([0x61, 0xff, 0x62]);
      await answerOnce(Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]));
      return "replaced";
    },
    sayOversize: async () => {
      await answerOnce(Buffer.alloc(33 * 1024 * 1024, "x"));
      await vi.waitFor(() => expect(bench.findLine(/is larger than/)).not.toBe(""), patient);
      return bench.findLine(/is larger than/);
    },
  };
}

describeChannelContract("telegram", openTelegram, {
  forgery: "Telegram is asked, nobody else answers",
  replay: "Telegram is asked, nobody else answers",
});

async function openTelegramWebhook(): Promise<ChannelBench> {
  const telegram = await startTelegramStub();
  const sign = (body: string | Buffer, secret = "webhook-secret"): PlatformCall => ({
    body,
    headers: { "x-telegram-bot-api-secret-token": secret },
  });
  let updates = 0;
  const bench = await openPostingBench({
    id: "telegram-webhook",
    config: {
      bot_token: telegramBot.token,
      api_url: telegram.server.url,
      webhook_secret: "webhook-secret",
      public_url: "https://bot.example.com",
    },
    stub: telegram,
    isDelivery: isPath(/sendMessage/),
    path: "/telegram",
    toBody: (content, more) =>
      JSON.stringify({ update_id: (updates += 1), ...telegramMessage(content, { ...more }) }),
    sign: (body) => sign(body),
    forge: (body) => sign(body, "a-secret-of-somebody-else"),
    // Nothing in it tells when it was made: it is known by the message.
    replay: (body) => sign(body),
  });
  return {
    ...bench,
    get channel() {
      return bench.channel;
    },
    sayInThread: (content, thread) => bench.say(mention + content, toTopic(thread)),
    readThread: readTopic(telegram),
    sayWithFile: async (content) => {
      await bench.say(content, telegramVoice(content));
      return telegramFile;
    },
  };
}

describeChannelContract("telegram-webhook", openTelegramWebhook, {});

// --- WhatsApp

async function openWhatsApp(): Promise<ChannelBench> {
  const whatsApp = await startWhatsAppStub();
  const sign = (body: string | Buffer, secret: string = whatsAppApp.config.app_secret) => ({
    body,
    headers: {
      "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    },
  });
  const bench = await openPostingBench({
    id: "whatsapp",
    config: { ...whatsAppApp.config, api_url: whatsApp.apiUrl },
    stub: whatsApp,
    isDelivery: isPath(/messages$/),
    path: "/whatsapp",
    toBody: (content, more) => whatsAppCall(whatsAppText(content, { ...more })).body,
    sign: (body) => sign(body),
    forge: (body) => sign(body, "a-secret-of-somebody-else"),
    // Nothing in it tells when it was made: it is known by the message.
    replay: (body) => sign(body),
  });
  return {
    ...bench,
    get channel() {
      return bench.channel;
    },
    sayWithFile: async (content) => {
      const file = { id: "media-7", mime_type: "application/pdf", filename: "a.pdf" };
      await bench.say(content, {
        type: "document",
        text: undefined,
        document: { ...file, caption: content },
      });
      return { name: "a.pdf", mimeType: "application/pdf", data: voice };
    },
  };
}

describeChannelContract("whatsapp", openWhatsApp, {
  threads: "WhatsApp has conversations only",
  "live text": "WhatsApp cannot edit for a bot",
});

// --- Teams

/** Pictures travel inside the message. */
function readAttachments({ attachments }: StubRequest["json"]) {
  const list = (attachments ?? []) as readonly { name: string; contentUrl?: string }[];
  return list.flatMap(({ name, contentUrl }) => {
    const data = /^data:[^,]*;base64,(.*)$/.exec(contentUrl ?? "")?.[1];
    return data === undefined ? [] : [{ name, bytes: Buffer.from(data, "base64") }];
  });
}

async function openTeams(): Promise<ChannelBench> {
  const teams = await startTeamsStub();
  const token = teams.createToken();
  const sign = (body: string | Buffer, by = token): PlatformCall => ({
    body,
    headers: { authorization: `Bearer ${by}` },
  });
  const longAgo = Math.floor(Date.now() / 1_000) - 3_600;
  const bench = await openPostingBench({
    id: "msteams",
    config: { ...teamsApp.config, ...teams.config },
    stub: { ...teams, files: () => teams.activities().flatMap(readAttachments) },
    isDelivery: isPath(/activities$/),
    path: "/api/messages",
    toBody: (content, more) =>
      JSON.stringify(teamsMessage(content, { serviceUrl: teams.serviceUrl, ...more })),
    sign: (body) => sign(body),
    forge: (body) => sign(body, `${token.slice(0, -8)}AAAAAAAA`),
    replay: (body) => sign(body, teams.createToken({ exp: longAgo, nbf: longAgo - 60 })),
  });
  return {
    ...bench,
    get channel() {
      return bench.channel;
    },
    sayWithFile: async (content) => {
      teams.server.intercept(({ path }) =>
        path === "/a.png" ? { body: image, headers: { "Content-Type": "image/png" } } : undefined,
      );
      const contentUrl = `${teams.server.url}/a.png`;
      await bench.say(content, { attachments: [{ contentUrl, name: "a.png" }] });
      return { name: "a.png", mimeType: "image/png", data: image };
    },
  };
}

describeChannelContract("msteams", openTeams, {
  threads: "a thread of Teams is a conversation by its id",
});
