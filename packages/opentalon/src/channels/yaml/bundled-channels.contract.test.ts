import { createHmac } from "node:crypto";
import { type ChannelBench, describeChannelContract } from "../channel.contract.ts";
import { startPlainDoor } from "../testing/plain-door.ts";
import { createBundledChannel } from "./testing/bundled-channel.ts";
import { slackBot, slackMessage, startSlackStub } from "./testing/slack-stub.ts";
import { startTeamsStub, teamsApp, teamsMessage } from "./testing/teams-stub.ts";
import { startTelegramStub, telegramBot, telegramMessage } from "./testing/telegram-stub.ts";
import {
  startWhatsAppStub,
  whatsAppApp,
  whatsAppCall,
  whatsAppText,
} from "./testing/whatsapp-stub.ts";
import type { YamlChannel } from "./yaml-channel.ts";

const refusal = "could not be taken";

/** A platform that posts its events to us, each with what proves where it comes from. */
async function openWebhookBench(
  channel: YamlChannel,
  stub: {
    texts: () => readonly string[];
    server: { openConnections: () => number };
  } & AsyncDisposable,
  path: string,
  toRequest: (content: string) => { body: string; headers: Record<string, string> },
): Promise<ChannelBench> {
  const door = await startPlainDoor(channel.routes ?? []);
  return {
    channel,
    say: async (content) => {
      const { body, headers } = toRequest(content);
      const response = await fetch(door.url + path, { method: "POST", body, headers });
      await response.arrayBuffer();
    },
    readReplies: stub.texts,
    sawRefusal: () => stub.texts().some((text) => text.includes(refusal)),
    isReleased: () => stub.server.openConnections() === 0,
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      await door[Symbol.asyncDispose]();
      await stub[Symbol.asyncDispose]();
    },
  };
}

describeChannelContract("slack", async () => {
  const slack = await startSlackStub();
  const config = { bot_token: slackBot.token, app_token: slackBot.appToken, api_url: slack.apiUrl };
  const channel = createBundledChannel("slack", config);
  return {
    channel,
    say: async (content) => {
      slack.emit(slackMessage(content));
    },
    readReplies: slack.texts,
    sawRefusal: () => slack.texts().some((text) => text.includes(refusal)),
    isReleased: () => slack.server.openConnections() === 0,
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      await slack[Symbol.asyncDispose]();
    },
  };
});

describeChannelContract("slack-events", async () => {
  const slack = await startSlackStub();
  const secret = "signing-secret";
  const config = { bot_token: slackBot.token, signing_secret: secret, api_url: slack.apiUrl };
  return openWebhookBench(
    createBundledChannel("slack-events", config),
    slack,
    "/slack/events",
    (content) => {
      const body = JSON.stringify(slackMessage(content));
      const timestamp = String(Math.floor(Date.now() / 1_000));
      const signature = createHmac("sha256", secret)
        .update(`v0:${timestamp}:${body}`)
        .digest("hex");
      return {
        body,
        headers: { "x-slack-request-timestamp": timestamp, "x-slack-signature": `v0=${signature}` },
      };
    },
  );
});

describeChannelContract("telegram", async () => {
  const telegram = await startTelegramStub();
  const config = { bot_token: telegramBot.token, api_url: telegram.server.url };
  const channel = createBundledChannel("telegram", config);
  return {
    channel,
    say: async (content) => {
      telegram.add(telegramMessage(content));
    },
    readReplies: telegram.texts,
    sawRefusal: () => telegram.texts().some((text) => text.includes(refusal)),
    isReleased: () => telegram.server.openConnections() === 0,
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      await telegram[Symbol.asyncDispose]();
    },
  };
});

describeChannelContract("telegram-webhook", async () => {
  const telegram = await startTelegramStub();
  const config = {
    bot_token: telegramBot.token,
    api_url: telegram.server.url,
    webhook_secret: "webhook-secret",
    public_url: "https://bot.example.com",
  };
  return openWebhookBench(
    createBundledChannel("telegram-webhook", config),
    telegram,
    "/telegram",
    (content) => ({
      body: JSON.stringify({ update_id: 1, ...telegramMessage(content) }),
      headers: { "x-telegram-bot-api-secret-token": "webhook-secret" },
    }),
  );
});

describeChannelContract("whatsapp", async () => {
  const whatsApp = await startWhatsAppStub();
  const config = { ...whatsAppApp.config, api_url: whatsApp.apiUrl };
  return openWebhookBench(
    createBundledChannel("whatsapp", config),
    whatsApp,
    "/whatsapp",
    (content) => whatsAppCall(whatsAppText(content)),
  );
});

describeChannelContract("msteams", async () => {
  const teams = await startTeamsStub();
  const config = { ...teamsApp.config, ...teams.config };
  return openWebhookBench(
    createBundledChannel("msteams", config),
    teams,
    "/api/messages",
    (content) => ({
      body: JSON.stringify(teamsMessage(content, { serviceUrl: teams.serviceUrl })),
      headers: { authorization: `Bearer ${teams.createToken()}` },
    }),
  );
});
