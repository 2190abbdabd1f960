import { createHmac } from "node:crypto";
import {
  slackBot,
  slackMessage,
  startSlackStub,
} from "../../../packages/opentalon/src/channels/yaml/testing/slack-stub.ts";
import {
  startTeamsStub,
  teamsApp,
  teamsMessage,
} from "../../../packages/opentalon/src/channels/yaml/testing/teams-stub.ts";
import {
  startTelegramStub,
  telegramBot,
  telegramMessage,
} from "../../../packages/opentalon/src/channels/yaml/testing/telegram-stub.ts";
import {
  startWhatsAppStub,
  whatsAppApp,
  whatsAppCall,
  whatsAppText,
} from "../../../packages/opentalon/src/channels/yaml/testing/whatsapp-stub.ts";
import type { Mode, ModeMessage } from "./mode.ts";

type Post = (
  path: string,
  body: string,
  headers: Readonly<Record<string, string>>,
) => Promise<void>;

/** Posts to whatever door there is now. */
function createPost(): { readonly post: Post; readonly connect: Mode["connect"] } {
  let door = "";
  return {
    connect: async (next) => {
      door = next;
    },
    post: async (path, body, headers) => {
      const response = await fetch(`http://${door}${path}`, { method: "POST", body, headers });
      await response.arrayBuffer();
    },
  };
}

/** Slack's own name of a message is its time. */
const toSlack = ({ id, from, content }: ModeMessage): Record<string, unknown> => {
  const ts = `1700000200.${String(id).padStart(6, "0")}`;
  const user = slackNames[from];
  return slackMessage(content, { ts, event_ts: ts, user, channel: `D${user}` });
};
const slackNames = { stranger: "U0EVE", listed: "U0ANN" };

export async function createSlackMode(): Promise<Mode> {
  const slack = await startSlackStub();
  return {
    name: "my-slack",
    entry: {
      plugin: "slack",
      config: { bot_token: slackBot.token, app_token: slackBot.appToken, api_url: slack.apiUrl },
    },
    stranger: slackNames.stranger,
    listed: () => slackNames.listed,
    connect: async () => {
      while (slack.socket() === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
    },
    deliver: async (message) => void slack.emit(toSlack(message)),
    texts: slack.texts,
    [Symbol.asyncDispose]: () => slack[Symbol.asyncDispose](),
  };
}

export async function createSlackEventsMode(): Promise<Mode> {
  const slack = await startSlackStub();
  const { post, connect } = createPost();
  const secret = "signing-secret";
  return {
    name: "my-slack-events",
    entry: {
      plugin: "slack-events",
      config: { bot_token: slackBot.token, signing_secret: secret, api_url: slack.apiUrl },
    },
    stranger: slackNames.stranger,
    listed: () => slackNames.listed,
    connect,
    deliver: (message) => {
      const body = JSON.stringify(toSlack(message));
      const timestamp = String(Math.floor(Date.now() / 1_000));
      const hmac = createHmac("sha256", secret).update(`v0:${timestamp}:${body}`).digest("hex");
      return post("/slack/events", body, {
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": `v0=${hmac}`,
      });
    },
    texts: slack.texts,
    [Symbol.asyncDispose]: () => slack[Symbol.asyncDispose](),
  };
}

const telegramNames = { stranger: 78, listed: 77 };

const toTelegram = ({ id, from, content }: ModeMessage): Record<string, unknown> => {
  const sender = telegramNames[from];
  return telegramMessage(content, {
    message_id: 10_000 + id,
    from: { id: sender, is_bot: false, first_name: from },
    chat: { id: sender, type: "private", first_name: from },
  });
};

export async function createTelegramMode(way: "asked" | "posting"): Promise<Mode> {
  const telegram = await startTelegramStub();
  const { post, connect } = createPost();
  const config = { bot_token: telegramBot.token, api_url: telegram.server.url };
  const secret = "webhook-secret";
  const isAsked = way === "asked";
  let updates = 0;
  return {
    name: isAsked ? "my-telegram" : "my-telegram-webhook",
    entry: isAsked
      ? { plugin: "telegram", config }
      : {
          plugin: "telegram-webhook",
          config: { ...config, webhook_secret: secret, public_url: "https://bot.example.com" },
        },
    stranger: String(telegramNames.stranger),
    listed: () => String(telegramNames.listed),
    connect,
    deliver: async (message) => {
      if (isAsked) return void telegram.add(toTelegram(message));
      const body = JSON.stringify({ update_id: (updates += 1), ...toTelegram(message) });
      return post("/telegram", body, { "x-telegram-bot-api-secret-token": secret });
    },
    texts: telegram.texts,
    [Symbol.asyncDispose]: () => telegram[Symbol.asyncDispose](),
  };
}

const whatsAppNames = { stranger: "4915100000078", listed: "4915100000077" };

export async function createWhatsAppMode(): Promise<Mode> {
  const whatsApp = await startWhatsAppStub();
  const { post, connect } = createPost();
  return {
    name: "my-whatsapp",
    entry: { plugin: "whatsapp", config: { ...whatsAppApp.config, api_url: whatsApp.apiUrl } },
    stranger: whatsAppNames.stranger,
    listed: () => whatsAppNames.listed,
    connect,
    deliver: ({ id, from, content }) => {
      const named = { id: `wamid.MODE${id}`, from: whatsAppNames[from] };
      const { body, headers } = whatsAppCall(whatsAppText(content, named));
      return post("/whatsapp", body, headers);
    },
    texts: whatsApp.texts,
    [Symbol.asyncDispose]: () => whatsApp[Symbol.asyncDispose](),
  };
}

const teamsNames = { stranger: "29:eve", listed: "29:ann" };

export async function createTeamsMode(): Promise<Mode> {
  const teams = await startTeamsStub();
  const { post, connect } = createPost();
  return {
    name: "my-teams",
    entry: { plugin: "msteams", config: { ...teamsApp.config, ...teams.config } },
    stranger: teamsNames.stranger,
    listed: () => teamsNames.listed,
    connect,
    deliver: ({ id, from, content }) => {
      const activity = teamsMessage(content, {
        id: `99${id}`,
        serviceUrl: teams.serviceUrl,
        from: { id: teamsNames[from], name: from, role: "user" },
        conversation: { id: `a:${from}`, conversationType: "personal", tenantId: "t1" },
      });
      const authorization = `Bearer ${teams.createToken()}`;
      return post("/api/messages", JSON.stringify(activity), { authorization });
    },
    texts: teams.texts,
    [Symbol.asyncDispose]: () => teams[Symbol.asyncDispose](),
  };
}
