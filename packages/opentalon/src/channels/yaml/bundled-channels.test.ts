import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import type { OutboundMessage } from "../../domain/message.ts";
import { type PlainDoor, startPlainDoor } from "../testing/plain-door.ts";
import {
  createRecordingHost,
  type RecordingHost,
  rememberIdentities,
} from "../testing/recording-host.ts";
import { bundledChannels, createBundledChannel } from "./testing/bundled-channel.ts";
import { slackBot, slackMessage, type SlackStub, startSlackStub } from "./testing/slack-stub.ts";
import { startTeamsStub, teamsApp, teamsMessage, type TeamsStub } from "./testing/teams-stub.ts";
import {
  startTelegramStub,
  telegramBot,
  telegramMessage,
  type TelegramStub,
} from "./testing/telegram-stub.ts";
import {
  startWhatsAppStub,
  whatsAppApp,
  whatsAppCall,
  whatsAppText,
  type WhatsAppStub,
} from "./testing/whatsapp-stub.ts";
import { createVolatileMemory } from "./testing/volatile-memory.ts";
import type { YamlChannel } from "./yaml-channel.ts";

const opened: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each[Symbol.asyncDispose]();
});

async function start(channel: YamlChannel): Promise<RecordingHost> {
  opened.push(channel);
  const host = createRecordingHost();
  host.answerWith(rememberIdentities());
  await channel.start(host);
  return host;
}

/** An answer to the last message, as the core makes it. */
function toReply(
  host: RecordingHost,
  content: string,
  metadata: Readonly<Record<string, string>> = {},
): OutboundMessage {
  const asked = host.messages.at(-1);
  return {
    channel: "x",
    conversationId: asked?.conversationId ?? "",
    threadId: asked?.threadId ?? "",
    content,
    files: [],
    metadata: { ...asked?.metadata, ...metadata, in_reply_to: asked?.platformMessageId ?? "" },
  };
}

const read = (id: string): { inbound: Record<string, unknown>; outbound: unknown } =>
  parse(readFileSync(join(bundledChannels, id, "channel.yaml"), "utf8")) as ReturnType<typeof read>;

describe("definitions of one platform", () => {
  it.each([
    ["slack", "slack-events", ["ack", "event_path", "http_webhook"]],
    ["telegram", "telegram-webhook", ["polling", "http_webhook"]],
  ])("differ only in how messages come in: %s and %s", (one, other, ways) => {
    const strip = (id: string): unknown => {
      const { inbound, outbound } = read(id);
      const rules = Object.entries(inbound).filter(([key]) => !ways.includes(key));
      return { inbound: Object.fromEntries(rules), outbound };
    };
    expect(strip(one)).toEqual(strip(other));
  });

  it("say which setting is missing, and which variable would do", () => {
    expect(() => createBundledChannel("slack", {})).toThrow(
      "channel my-slack: set config.bot_token, or the environment variable SLACK_BOT_TOKEN",
    );
    const environment = { TELEGRAM_BOT_TOKEN: telegramBot.token };
    expect(createBundledChannel("telegram", {}, { environment }).kind).toBe("telegram");
  });
});

describe("slack", () => {
  let slack: SlackStub;

  async function open(
    config: Readonly<Record<string, string>> = {},
  ): Promise<{ channel: YamlChannel; host: RecordingHost }> {
    slack = await startSlackStub();
    opened.push(slack);
    const tokens = {
      bot_token: slackBot.token,
      app_token: slackBot.appToken,
      api_url: slack.apiUrl,
    };
    const channel = createBundledChannel("slack", { ...tokens, ...config });
    return { channel, host: await start(channel) };
  }

  const inChannel = { channel: "C1", channel_type: "channel" };

  it("answers in channels when it is mentioned, in a thread, without the mention", async () => {
    const { channel, host } = await open();
    const text = `<@${slackBot.userId}> what is up?`;
    const mention = slackMessage(text, { ...inChannel, ts: "170.1", event_ts: "170.1" });
    slack.emit(slackMessage("among people", inChannel));
    slack.emit(mention);
    // The same message comes as a mention, too.
    slack.emit(
      slackMessage(text, {
        type: "app_mention",
        channel: "C1",
        channel_type: undefined,
        ts: "170.1",
        event_ts: "170.1",
      }),
    );
    await vi.waitFor(() => expect(slack.acknowledged().length).toBe(3));
    expect(host.messages).toMatchObject([
      {
        channelKind: "slack",
        platformMessageId: "C1:170.1",
        conversationId: "C1",
        threadId: "170.1",
        senderId: "U0ADA",
        content: "what is up?",
        metadata: { ts: "170.1", is_group: "true" },
      },
    ]);
    await channel.send(toReply(host, "Not *much*"), "d1");
    expect(slack.calls("chat.postMessage")[0]?.json).toEqual({
      channel: "C1",
      text: "Not _much_",
      thread_ts: "170.1",
      mrkdwn: true,
    });
    // Now it takes part in the thread.
    slack.emit(slackMessage("and now?", { ...inChannel, thread_ts: "170.1" }));
    slack.emit(slackMessage("elsewhere", { ...inChannel, thread_ts: "170.0" }));
    await vi.waitFor(() => expect(slack.acknowledged().length).toBe(5));
    expect(host.contents()).toEqual(["what is up?", "and now?"]);
    expect(host.messages[1]?.threadId).toBe("170.1");
  });

  it("takes a direct message for one conversation, and none of its own or of other bots", async () => {
    const { host } = await open();
    slack.emit(slackMessage("hello"));
    slack.emit(slackMessage("mine", { user: slackBot.userId }));
    slack.emit(slackMessage("a bot's", { bot_id: "B2" }));
    slack.emit(slackMessage("changed", { subtype: "message_changed" }));
    await vi.waitFor(() => expect(slack.acknowledged().length).toBe(4));
    expect(host.messages).toMatchObject([
      { content: "hello", conversationId: "D0ADA", threadId: "" },
    ]);
    expect(host.messages[0]?.metadata["is_group"]).toBeUndefined();
  });

  it("hands on reactions to its own messages, in the thread they stand in", async () => {
    const { channel, host } = await open();
    slack.emit(
      slackMessage("x", {
        type: "app_mention",
        ...inChannel,
        channel_type: undefined,
        ts: "170.1",
        event_ts: "170.1",
      }),
    );
    await vi.waitFor(() => expect(host.messages.length).toBe(1));
    // What a reaction names is what the answer was said to be called.
    expect(await channel.send(toReply(host, "an answer"), "d1")).toEqual({
      messageIds: ["1700000000.000001"],
    });
    const reaction = (ts: string, author: string) => ({
      event: {
        type: "reaction_added",
        user: "U0ADA",
        reaction: "thumbsup",
        item: { type: "message", channel: "C1", ts },
        item_user: author,
        event_ts: `171.${ts}`,
      },
    });
    slack.emit(reaction("1700000000.000001", slackBot.userId));
    slack.emit(reaction("170.1", "U0EVE"));
    await vi.waitFor(() => expect(slack.acknowledged().length).toBe(3));
    expect(host.messages.slice(1)).toMatchObject([
      {
        platformMessageId: "C1:171.1700000000.000001",
        conversationId: "C1",
        threadId: "170.1",
        senderId: "U0ADA",
        content: "",
        metadata: { reaction: "thumbsup", reaction_to: "1700000000.000001" },
      },
    ]);
  });

  it("loads files with its token, and only from Slack", async () => {
    const { host } = await open();
    const files = [
      {
        id: "F1",
        name: "a.png",
        mimetype: "image/png",
        url_private: `${slack.server.url}/files-pri/a.png`,
      },
      {
        id: "F2",
        name: "b",
        mimetype: "text/html",
        mode: "external",
        url_private: "https://drive.example.com/b",
      },
    ];
    slack.emit(slackMessage("look", { subtype: "file_share", files }));
    await vi.waitFor(() => expect(host.messages.length).toBe(1));
    expect(host.messages[0]?.files.map(({ name, mimeType }) => [name, mimeType])).toEqual([
      ["a.png", "image/png"],
    ]);
    expect(slack.server.requests.at(-1)?.headers.authorization).toBe(`Bearer ${slackBot.token}`);
  });

  it("asks with buttons, and takes a click for the answer", async () => {
    const { channel, host } = await open();
    slack.emit(slackMessage("do it"));
    await vi.waitFor(() => expect(host.messages.length).toBe(1));
    const question = { type: "confirmation", options: "approve,reject", tool_call_id: "call-1" };
    await channel.send(toReply(host, 'May I run "x"?', question), "d1");
    const blocks = slack.calls("chat.postMessage")[0]?.json["blocks"] as readonly {
      readonly elements?: readonly { readonly action_id: string; readonly value: string }[];
    }[];
    expect(blocks[1]?.elements?.map(({ action_id, value }) => [action_id, value])).toEqual([
      ["approve", "call-1"],
      ["reject", "call-1"],
    ]);
    const click = {
      type: "block_actions",
      user: { id: "U0ADA" },
      channel: { id: "D0ADA", name: "directmessage" },
      message: { ts: "1700000000.000001" },
      actions: [{ action_id: "approve", value: "call-1", action_ts: "172.1" }],
      container: { channel_id: "D0ADA" },
    };
    slack.emit(click, "interactive");
    await vi.waitFor(() => expect(host.messages.length).toBe(2));
    expect(host.messages[1]).toMatchObject({
      conversationId: "D0ADA",
      threadId: "",
      senderId: "U0ADA",
      content: "",
      metadata: { confirmation: "approve", tool_call_id: "call-1" },
    });
  });

  it("shows that it has read a message, and that it has answered", async () => {
    const { channel, host } = await open({
      ack_reaction: "eyes",
      done_reaction: "white_check_mark",
    });
    slack.emit(slackMessage("hello", { ts: "170.1", event_ts: "170.1" }));
    await vi.waitFor(() => expect(slack.calls("reactions.add").length).toBe(1));
    await channel.send(toReply(host, "hi"), "d1");
    await vi.waitFor(() => expect(slack.calls("reactions.add").length).toBe(2));
    expect(slack.calls("reactions.remove")[0]?.json).toEqual({
      channel: "D0ADA",
      timestamp: "170.1",
      name: "eyes",
    });
    expect(slack.calls("reactions.add")[1]?.json["name"]).toBe("white_check_mark");
  });

  it("opens a new socket when Slack asks for it", async () => {
    const { host } = await open();
    slack.socket()?.sendText(JSON.stringify({ type: "disconnect", reason: "refresh_requested" }));
    slack.socket()?.close();
    await vi.waitFor(() => expect(slack.socketCount()).toBe(2), { timeout: 10_000 });
    slack.emit(slackMessage("still there?"));
    await vi.waitFor(() => expect(host.contents()).toEqual(["still there?"]));
  });
});

describe("telegram", () => {
  let telegram: TelegramStub;

  async function open(
    memory = createVolatileMemory(),
  ): Promise<{ channel: YamlChannel; host: RecordingHost }> {
    const config = { bot_token: telegramBot.token, api_url: telegram.server.url, poll_timeout: 1 };
    const channel = createBundledChannel("telegram", config, { memory });
    return { channel, host: await start(channel) };
  }

  const group = { chat: { id: -100, type: "supergroup" } };

  async function openNew(): ReturnType<typeof open> {
    telegram = await startTelegramStub();
    opened.push(telegram);
    return open();
  }

  it("answers in groups when it is mentioned or answered, and shows what it answers", async () => {
    const { channel, host } = await openNew();
    telegram.add(telegramMessage("among people", group));
    telegram.add(
      telegramMessage(`@${telegramBot.username} what is up?`, { ...group, message_id: 50 }),
    );
    const reply_to_message = { message_id: 5, from: { id: telegramBot.id, is_bot: true } };
    telegram.add(telegramMessage("and now?", { ...group, message_id: 51, reply_to_message }));
    await vi.waitFor(() => expect(host.contents()).toEqual(["what is up?", "and now?"]));
    expect(host.messages[1]).toMatchObject({
      conversationId: "-100",
      senderName: "Ada",
      sentAtMs: 1_700_000_000_000,
      metadata: { message_id: "51", is_group: "true" },
    });
    await channel.send(toReply(host, "fine"), "d1");
    expect(telegram.calls("sendMessage")[0]?.json).toEqual({
      chat_id: "-100",
      text: "fine",
      parse_mode: "HTML",
      reply_parameters: { message_id: 51, allow_sending_without_reply: true },
    });
  });

  it("keeps topics apart, and types while it thinks", async () => {
    const { channel, host } = await openNew();
    telegram.add(
      telegramMessage(`@${telegramBot.username} x`, {
        ...group,
        is_topic_message: true,
        message_thread_id: 9,
      }),
    );
    await vi.waitFor(() => expect(host.messages[0]?.threadId).toBe("9"));
    const message = {
      channel: "x",
      ...(host.messages[0] ?? expect.unreachable("there is a message")),
    };
    channel.show?.({ id: "t", sessionKey: "", attempt: 1, message }, { kind: "turn-started" });
    await vi.waitFor(() =>
      expect(telegram.calls("sendChatAction")[0]?.json).toEqual({
        chat_id: "-100",
        message_thread_id: 9,
        action: "typing",
      }),
    );
    await channel.send(toReply(host, "y"), "d1");
    expect(telegram.calls("sendMessage")[0]?.json["message_thread_id"]).toBe(9);
  });

  it("loads voice notes", async () => {
    const { host } = await openNew();
    telegram.add(
      telegramMessage("", { text: undefined, voice: { file_id: "v/1", mime_type: "audio/ogg" } }),
    );
    await vi.waitFor(() => expect(host.messages.length).toBe(1));
    expect(host.messages[0]?.files).toMatchObject([{ name: "voice.ogg", mimeType: "audio/ogg" }]);
    expect(Buffer.from(host.messages[0]?.files[0]?.data ?? []).toString()).toBe("OggS-voice");
  });

  it("hands on reactions to its own messages, and clicks", async () => {
    const { channel, host } = await openNew();
    telegram.add(telegramMessage("hello"));
    await vi.waitFor(() => expect(host.messages.length).toBe(1));
    const sent = await channel.send(
      toReply(host, "hi", { type: "confirmation", options: "approve,reject" }),
      "d1",
    );
    const own = 101;
    expect(sent).toEqual({ messageIds: [String(own)] });
    expect(telegram.calls("sendMessage")[0]?.json["reply_markup"]).toMatchObject({
      inline_keyboard: [[{ callback_data: "approve" }, { callback_data: "reject" }]],
    });
    const reaction = (id: number, emoji: string) => ({
      message_reaction: {
        chat: { id: 77, type: "private" },
        message_id: id,
        user: { id: 77, is_bot: false, first_name: "Ada" },
        date: 1_700_000_100,
        old_reaction: [],
        new_reaction: emoji === "" ? [] : [{ type: "emoji", emoji }],
      },
    });
    telegram.add(reaction(5, "👎"));
    telegram.add(reaction(own, ""));
    telegram.add(reaction(own, "👍"));
    telegram.add({
      callback_query: {
        id: "cb1",
        from: { id: 77 },
        message: { message_id: own, chat: { id: 77 } },
        data: "approve",
      },
    });
    await vi.waitFor(() => expect(host.messages.length).toBe(3));
    const [, first, second] = host.messages;
    expect(first).toMatchObject({
      content: "",
      senderId: "77",
      metadata: { reaction: "👍", reaction_to: "101" },
    });
    expect(second).toMatchObject({
      content: "",
      conversationId: "77",
      metadata: { confirmation: "approve" },
    });
    await vi.waitFor(() =>
      expect(telegram.calls("answerCallbackQuery")[0]?.json).toEqual({ callback_query_id: "cb1" }),
    );
  });

  it("never tells its token, whatever goes wrong", async () => {
    const { channel, host } = await openNew();
    telegram.add(telegramMessage("hello"));
    await vi.waitFor(() => expect(host.messages.length).toBe(1));
    const problem = channel.send(toReply(host, "x".repeat(5_000)), "d1").then(() => "none", String);
    expect(await problem).toMatch(/message is too long/);
    await telegram[Symbol.asyncDispose]();
    const other = channel.send(toReply(host, "x"), "d2").then(() => "none", String);
    expect(await other).toMatch(/did not answer/);
    expect(`${await problem}${await other}`).not.toContain("secret");
  });

  it("sets its webhook with the secret it checks", async () => {
    telegram = await startTelegramStub();
    opened.push(telegram);
    const channel = createBundledChannel("telegram-webhook", {
      bot_token: telegramBot.token,
      api_url: telegram.server.url,
      webhook_secret: "w3bhook",
      public_url: "https://bot.example.com",
    });
    await start(channel);
    expect(telegram.calls("setWebhook")[0]?.json).toMatchObject({
      url: "https://bot.example.com/telegram",
      secret_token: "w3bhook",
    });
  });
});

async function openDoor(channel: YamlChannel): Promise<PlainDoor> {
  const door = await startPlainDoor(channel.routes ?? []);
  opened.push(door);
  return door;
}

describe("whatsapp", () => {
  let whatsApp: WhatsAppStub;

  async function open(): Promise<{
    channel: YamlChannel;
    host: RecordingHost;
    post: (...messages: readonly unknown[]) => Promise<number>;
    door: PlainDoor;
  }> {
    whatsApp = await startWhatsAppStub();
    opened.push(whatsApp);
    const channel = createBundledChannel("whatsapp", {
      ...whatsAppApp.config,
      api_url: whatsApp.apiUrl,
    });
    const host = await start(channel);
    const door = await openDoor(channel);
    const post = async (...messages: readonly unknown[]): Promise<number> =>
      (await fetch(`${door.url}/whatsapp`, { method: "POST", ...whatsAppCall(...messages) }))
        .status;
    return { channel, host, post, door };
  }

  it("proves to Meta whose address it is", async () => {
    const { door } = await open();
    const ask = (token: string): Promise<Response> =>
      fetch(
        `${door.url}/whatsapp?hub.mode=subscribe&hub.verify_token=${token}&hub.challenge=1158201444`,
      );
    const answer = await ask("verify-token");
    expect([answer.status, await answer.text()]).toEqual([200, "1158201444"]);
    expect((await ask("wrong")).status).toBe(403);
  });

  it("takes several messages of one call, each once", async () => {
    const { channel, host, post } = await open();
    const [one, two] = [whatsAppText("one"), whatsAppText("two")];
    expect(await post(one, two)).toBe(200);
    expect(await post(two)).toBe(200);
    expect(host.messages).toMatchObject([
      {
        content: "one",
        platformMessageId: one["id"],
        conversationId: "4915112345678",
        senderName: "Ada",
      },
      { content: "two" },
    ]);
    await channel.send(toReply(host, "Grüße"), "d1");
    expect(whatsApp.sent()[0]).toEqual({
      messaging_product: "whatsapp",
      recipient_type: "individual",
      to: "4915112345678",
      type: "text",
      text: { body: "Grüße" },
    });
  });

  it("loads voice notes in two steps, and takes reactions and buttons", async () => {
    const { host, post } = await open();
    const audio = { id: "media-1", mime_type: "audio/ogg; codecs=opus", voice: true };
    await post(whatsAppText("", { type: "audio", text: undefined, audio }));
    await post(
      whatsAppText("", {
        type: "reaction",
        text: undefined,
        reaction: { message_id: "wamid.OUT1", emoji: "👍" },
      }),
    );
    await post(
      whatsAppText("", {
        type: "interactive",
        text: undefined,
        interactive: { type: "button_reply", button_reply: { id: "reject", title: "Reject" } },
      }),
    );
    expect(host.messages[0]?.files).toMatchObject([
      { name: "voice.ogg", mimeType: "audio/ogg; codecs=opus" },
    ]);
    expect(host.messages[1]?.metadata).toMatchObject({ reaction: "👍", reaction_to: "wamid.OUT1" });
    expect(host.messages[2]?.metadata["confirmation"]).toBe("reject");
  });

  it("lets in nobody without the signature", async () => {
    const { host, door } = await open();
    const { body } = whatsAppCall(whatsAppText("hello"));
    const answer = await fetch(`${door.url}/whatsapp`, {
      method: "POST",
      body,
      headers: { "x-hub-signature-256": "sha256=00" },
    });
    expect(answer.status).toBe(401);
    expect(host.messages).toEqual([]);
  });
});

describe("msteams", () => {
  let teams: TeamsStub;

  async function open(): Promise<{
    channel: YamlChannel;
    host: RecordingHost;
    post: (activity: Record<string, unknown>) => Promise<number>;
  }> {
    teams = await startTeamsStub();
    opened.push(teams);
    const channel = createBundledChannel("msteams", { ...teamsApp.config, ...teams.config });
    const host = await start(channel);
    const door = await openDoor(channel);
    return {
      channel,
      host,
      post: async (activity) => {
        const response = await fetch(`${door.url}/api/messages`, {
          method: "POST",
          body: JSON.stringify({ serviceUrl: teams.serviceUrl, ...activity }),
          headers: { authorization: `Bearer ${teams.createToken()}` },
        });
        return response.status;
      },
    };
  }

  it("answers where the activity came from, in its thread, without the mention", async () => {
    const { channel, host, post } = await open();
    const conversation = {
      id: "19:team@thread.tacv2;messageid=1",
      conversationType: "channel",
      isGroup: true,
    };
    expect(await post(teamsMessage("<at>Talon</at> what is up?", { conversation, id: "m1" }))).toBe(
      200,
    );
    expect(host.messages).toMatchObject([
      {
        content: "what is up?",
        conversationId: conversation.id,
        senderName: "Ada",
        metadata: { is_group: "true" },
      },
    ]);
    await channel.send(toReply(host, "fine"), "d1");
    expect(teams.server.requests.at(-1)?.target).toBe(
      "/emea/v3/conversations/19:team@thread.tacv2;messageid=1/activities",
    );
    expect(teams.activities()[0]).toEqual({
      type: "message",
      textFormat: "markdown",
      text: "fine",
      replyToId: "m1",
    });
    // What nobody asked for goes to the same place.
    await channel.send({ ...toReply(host, "by the way"), metadata: {} }, "d2");
    expect(teams.texts()).toEqual(["fine", "by the way"]);
  });

  it("signs in again when its access has run out", async () => {
    const { channel, host, post } = await open();
    await post(teamsMessage("hello"));
    teams.expireAccess();
    await channel.send(toReply(host, "hi"), "d1");
    expect(teams.texts()).toEqual(["hi"]);
  });

  it("takes reactions and clicks on cards", async () => {
    const { channel, host, post } = await open();
    await post(teamsMessage("do it"));
    await channel.send(
      toReply(host, "May I?", { type: "confirmation", tool_call_id: "call-1" }),
      "d1",
    );
    expect(JSON.stringify(teams.activities()[0])).toContain(
      '"data":{"confirmation":"approve","tool_call_id":"call-1"}',
    );
    await post(
      teamsMessage("", {
        text: undefined,
        value: { confirmation: "approve", tool_call_id: "call-1" },
      }),
    );
    await post(
      teamsMessage("", {
        type: "messageReaction",
        text: undefined,
        reactionsAdded: [{ type: "like" }],
        replyToId: "1700000000001",
      }),
    );
    expect(host.messages[1]?.metadata).toMatchObject({
      confirmation: "approve",
      tool_call_id: "call-1",
    });
    expect(host.messages[2]?.metadata).toMatchObject({
      reaction: "👍",
      reaction_to: "1700000000001",
    });
  });

  it("sends its access token to nobody a stranger names", async () => {
    const { channel, host, post } = await open();
    expect(await post(teamsMessage("hello", { serviceUrl: "https://evil.example/" }))).toBe(401);
    await post(teamsMessage("hello"));
    const reply = toReply(host, "hi", { service_url: "http://169.254.169.254/" });
    await expect(channel.send(reply, "d1")).rejects.toThrow(/which the definition does not name/);
  });
});
