import { ChannelType, GatewayCloseCodes, MessageType } from "@discordjs/core/http-only";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { StubRequest } from "../../../packages/opentalon/src/channels/yaml/testing/stub-server.ts";
import { toSnowflake } from "./snowflake.ts";
import {
  discordBot,
  type DiscordStub,
  ids,
  refuse,
  startDiscordStub,
} from "./testing/discord-stub.ts";
import { createManualClock } from "./testing/manual-clock.ts";
import { type OpenDiscord, openDiscord, type OpenDiscordOptions } from "./testing/open-discord.ts";

const patient = { timeout: 10_000 };
const mention = { mentions: [{ id: discordBot.id, username: "talon" }] };
const inChannel = { channel_id: ids.channel };
const mentioned = { ...inChannel, ...mention };
const talon = `<@${discordBot.id}>`;
const stranger = { id: ids.other, username: "bob", global_name: null };
const ownAuthor = { id: discordBot.id, username: "talon", bot: true };

let discord: DiscordStub;
const opened: AsyncDisposable[] = [];

beforeEach(async () => {
  discord = await startDiscordStub();
});

afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each[Symbol.asyncDispose]();
  await discord[Symbol.asyncDispose]();
});

async function open(options: Omit<OpenDiscordOptions, "discord"> = {}): Promise<OpenDiscord> {
  const channel = await openDiscord({ discord, ...options });
  opened.push(channel);
  return channel;
}

const posted = (): readonly Readonly<Record<string, unknown>>[] =>
  discord.calls("POST", /\/messages$/).map(discord.readBody);

describe("what it hears", () => {
  it("is every direct message, with its person, its time and its own identity", async () => {
    const channel = await open();
    const message = discord.say("Grüße 🎉");
    await vi.waitFor(() => expect(channel.received.length).toBe(1), patient);
    expect(channel.received[0]).toMatchObject({
      conversationId: ids.direct,
      senderId: ids.person,
      senderName: "Ada",
      content: "Grüße 🎉",
      messageId: message.id,
      metadata: {},
    });
    expect(channel.received[0]?.sentAt?.toISOString()).toBe(message["timestamp"]);
  });

  it("is in servers only what mentions it or its role, or replies to it, without the mention", async () => {
    const channel = await open();
    const own = discord.put("an answer", { ...inChannel, author: ownAuthor });
    const other = discord.put("a remark", { ...inChannel, author: stranger });
    const reply = { ...inChannel, type: MessageType.Reply };
    discord.say("among people", inChannel);
    discord.say("@everyone hello", { ...inChannel, mention_everyone: true });
    discord.say("to somebody", { ...reply, referenced_message: other });
    discord.say(`${talon} what does <@${ids.other}> say? <:wave:123456>`, {
      ...inChannel,
      mentions: [...mention.mentions, stranger],
    });
    discord.say(`hey <@&${discordBot.roleId}>, and you?`, {
      ...inChannel,
      mention_roles: [discordBot.roleId],
    });
    discord.say("go on", { ...reply, referenced_message: own, member: { nick: "Countess" } });
    await vi.waitFor(() => expect(channel.received.length).toBe(3), patient);
    expect(channel.contents()).toEqual(["what does @bob say? :wave:", "hey , and you?", "go on"]);
    expect(channel.received[2]).toMatchObject({
      conversationId: ids.channel,
      senderName: "Countess",
      metadata: { is_group: "true" },
    });
  });

  it("is nothing that programs write", async () => {
    const channel = await open();
    discord.say("from a bot", { author: { ...stranger, bot: true } });
    discord.say("from a webhook", { webhook_id: "5" });
    discord.say("has joined", { type: MessageType.UserJoin });
    discord.say("from a person");
    await vi.waitFor(() => expect(channel.contents()).toEqual(["from a person"]), patient);
  });

  it("is what a bare mention points at, marked as the words of another", async () => {
    const channel = await open();
    const other = discord.put("/stop\nplease", { ...inChannel, author: stranger });
    discord.say(talon, { ...mentioned, type: MessageType.Reply, referenced_message: other });
    discord.say(talon, mentioned);
    discord.say("", {
      message_snapshots: [{ message: { content: "forwarded", attachments: [] } }],
    });
    discord.say("", { sticker_items: [{ id: "1", name: "Wave", format_type: 1 }] });
    await vi.waitFor(() => expect(channel.received.length).toBe(3), patient);
    expect(channel.contents()).toEqual(["> /stop\n> please", "forwarded", "[sticker: Wave]"]);
  });

  it("is, in threads it takes part in, every word, as a thread of the channel above", async () => {
    const [joined, foreign] = ["800000000000000021", "800000000000000022"];
    const thread = { type: ChannelType.PublicThread, guild_id: ids.guild, parent_id: ids.channel };
    discord.addChannel({ ...thread, id: joined, member: { user_id: discordBot.id } });
    discord.addChannel({ ...thread, id: foreign });
    const channel = await open();
    discord.say("without a mention", { channel_id: joined });
    discord.say("not for us", { channel_id: foreign });
    discord.say(`${talon} come`, { ...mention, channel_id: foreign });
    await vi.waitFor(() => expect(channel.received.length).toBe(2), patient);
    expect(channel.received).toMatchObject([
      { conversationId: ids.channel, threadId: joined, content: "without a mention" },
      { conversationId: ids.channel, threadId: foreign, content: "come" },
    ]);
    // It has written there, and so takes part.
    await channel.send("here I am", { conversationId: ids.channel, threadId: foreign });
    discord.say("good", { channel_id: foreign });
    await vi.waitFor(() => expect(channel.contents().at(-1)).toBe("good"), patient);
    discord.gateway.dispatch("THREAD_MEMBERS_UPDATE", {
      id: joined,
      removed_member_ids: [discordBot.id],
    });
    discord.say("among ourselves", { channel_id: joined });
    discord.say("the end");
    await vi.waitFor(() => expect(channel.contents().at(-1)).toBe("the end"), patient);
    expect(channel.contents()).not.toContain("among ourselves");
  });

  it("comes with its files: voice messages, and what is too large by name", async () => {
    const channel = await open();
    const attachment = { id: "1", size: 10, url: `${discord.server.url}/attachments/1/voice.ogg` };
    discord.say("", {
      flags: 8_192,
      attachments: [
        { ...attachment, filename: "voice-message.ogg", content_type: "audio/ogg; codecs=opus" },
        { ...attachment, filename: "film.mp4", size: 31 * 1_048_576 },
        { ...attachment, filename: "trap", url: "https://cdn.discordapp.com.evil.example/x" },
      ],
    });
    await vi.waitFor(() => expect(channel.received.length).toBe(1), patient);
    const [message] = channel.received;
    expect(message?.files).toMatchObject([{ name: "voice-message.ogg", mimeType: "audio/ogg" }]);
    expect(Buffer.from(message?.files?.[0]?.data ?? []).toString()).toBe("OggS-voice");
    expect(message?.content).toBe(
      "[the file film.mp4 could not be loaded: the files of a message may have 30 MiB together]\n" +
        "[the file trap could not be loaded: it does not lie on Discord's servers]",
    );
  });

  it("is reactions to its own messages, also to old ones", async () => {
    const channel = await open();
    const own = discord.put("an answer", { ...inChannel, author: ownAuthor });
    const other = discord.put("a remark", { ...inChannel, author: stranger });
    const react = (message: { readonly id: string }, name: string, more: object = {}): void => {
      discord.gateway.dispatch("MESSAGE_REACTION_ADD", {
        user_id: ids.person,
        channel_id: ids.channel,
        guild_id: ids.guild,
        message_id: message.id,
        emoji: { id: null, name },
        type: 0,
        burst: false,
        ...more,
      });
    };
    const member = (bot: boolean): object => ({
      member: { nick: null, user: { id: ids.person, username: "ada", global_name: "Ada", bot } },
    });
    react(other, "👎", { message_author_id: ids.other });
    react(other, "👎");
    react(own, "👎", { user_id: discordBot.id, message_author_id: discordBot.id });
    react(own, "👎", { ...member(true), message_author_id: discordBot.id });
    react(own, "👍", { ...member(false), message_author_id: discordBot.id });
    react(own, "🔁");
    await vi.waitFor(() => expect(channel.received.length).toBe(2), patient);
    expect(channel.received).toMatchObject([
      {
        conversationId: ids.channel,
        senderId: ids.person,
        senderName: "Ada",
        content: "",
        metadata: { reaction: "👍", reaction_to: own.id, is_group: "true" },
      },
      { metadata: { reaction: "🔁" } },
    ]);
    expect(channel.received[0]?.messageId).toMatch(
      new RegExp(`^${own.id}:👍:${ids.person}:\\w{8}\\.\\d+$`),
    );
  });

  it("is clicks on its buttons, which are acknowledged at once", async () => {
    const stuck = Promise.withResolvers<void>();
    const channel = await open({ receive: () => stuck.promise });
    discord.say("something that takes its time");
    const click = {
      id: toSnowflake(Date.now()),
      token: "click-token",
      type: 3,
      channel: { id: ids.channel, type: 0 },
      channel_id: ids.channel,
      member: { nick: "Countess", user: { id: ids.person, username: "ada", global_name: "Ada" } },
      data: { component_type: 2, custom_id: "approve:call-1" },
    };
    discord.gateway.dispatch("INTERACTION_CREATE", click);
    discord.gateway.dispatch("INTERACTION_CREATE", {
      ...click,
      data: { component_type: 2, custom_id: "else" },
    });
    const path = new RegExp(`/interactions/${click.id}/click-token/callback$`);
    await vi.waitFor(() => expect(discord.calls("POST", path).length).toBe(2), patient);
    expect(discord.calls("POST", path)[0]?.json).toEqual({ type: 6 });
    expect(channel.received).toEqual([]);
    stuck.resolve();
    await vi.waitFor(() => expect(channel.received.length).toBe(2), patient);
    expect(channel.received[1]).toMatchObject({
      conversationId: ids.channel,
      senderId: ids.person,
      senderName: "Countess",
      content: "",
      messageId: click.id,
      metadata: { confirmation: "approve", tool_call_id: "call-1", is_group: "true" },
    });
  });
});

describe("what it says", () => {
  it("points at the question in servers, once, and calls nobody but the person", async () => {
    const channel = await open();
    const question = discord.say(`${talon} hello`, mentioned);
    const direct = discord.say("hello");
    const place = { conversationId: ids.channel, metadata: { in_reply_to: question.id } };
    const { messageIds = [] } = (await channel.send("@everyone hi", place)) ?? {};
    await channel.send("and more", place);
    await channel.send("hi", { metadata: { in_reply_to: direct.id } });
    expect(messageIds).toEqual([discord.posts()[0]?.id]);
    const [first, second, third] = posted();
    expect(first).toMatchObject({
      content: "@everyone hi",
      message_reference: { message_id: question.id, fail_if_not_exists: false },
      allowed_mentions: { parse: [], replied_user: true },
      enforce_nonce: true,
    });
    expect([second, third].map((body) => body?.["message_reference"])).toEqual([
      undefined,
      undefined,
    ]);
  });

  it("opens a thread below the question when it should", async () => {
    const clock = createManualClock(Date.now());
    const channel = await open({ config: { reply_in_threads: true }, clock });
    const question = discord.say(`${talon} How is the weather?\nIn Berlin`, mentioned);
    await vi.waitFor(() => expect(channel.received.length).toBe(1), patient);
    const place = { conversationId: ids.channel, threadId: question.id };
    expect(channel.received[0]).toMatchObject(place);
    channel.type(place);
    await vi.waitFor(
      () => expect(discord.calls("POST", /typing$/)[0]?.path).toContain(ids.channel),
      patient,
    );
    const metadata = { in_reply_to: question.id };
    await Promise.all([
      channel.send("Fine.", { ...place, metadata }),
      channel.send("Very.", { ...place, metadata }),
    ]);
    const threads = discord.calls("POST", /threads$/);
    expect(threads.map(({ json }) => json["name"])).toEqual(["How is the weather?"]);
    expect(discord.posts().map(({ channel_id: id }) => id)).toEqual([question.id, question.id]);
    expect(posted()[0]?.["message_reference"]).toBeUndefined();
    discord.say("and tomorrow?", { channel_id: question.id });
    await vi.waitFor(() => expect(channel.received[1]).toMatchObject(place), patient);
  });

  it("answers in the channel when it may not open threads", async () => {
    const channel = await open({ config: { reply_in_threads: true } });
    const question = discord.say(`${talon} hello`, mentioned);
    await vi.waitFor(() => expect(channel.received.length).toBe(1), patient);
    discord.server.intercept(({ path }) =>
      path.endsWith("/threads") ? refuse(403, 50_013, "Missing Permissions") : undefined,
    );
    const place = { conversationId: ids.channel, threadId: question.id };
    const metadata = { in_reply_to: question.id };
    await channel.send("hi", { ...place, metadata });
    expect(posted()[0]?.["message_reference"]).toMatchObject({ message_id: question.id });
    expect(discord.posts()[0]?.channel_id).toBe(ids.channel);
    expect(channel.log.join()).toContain("the bot lacks a permission there");
  });

  it("takes files along, and names those that Discord does not take", async () => {
    const channel = await open();
    const file = (
      name: string,
      size: number,
    ): { name: string; mimeType: string; data: Buffer } => ({
      name,
      mimeType: "text/plain",
      data: Buffer.alloc(size, "a"),
    });
    await channel.send("see", { files: [file("a.txt", 100), file("b.txt", 10_485_761)] });
    const request = discord.calls("POST", /messages$/)[0];
    expect(request?.body).toContain('filename="a.txt"');
    expect(request?.body).toContain("a".repeat(100));
    expect(discord.texts()).toEqual([
      'see\n\n-# The file "b.txt" (10.0 MiB) could not be sent: Discord takes files up to 10 MiB.',
    ]);
    discord.server.intercept(({ headers }) =>
      headers["content-type"]?.startsWith("multipart/") === true
        ? refuse(413, 40_005, "Request entity too large")
        : undefined,
    );
    await channel.send("again", { files: [file("c.txt", 100)] });
    expect(discord.texts()[1]).toContain('again\n\n-# The file "c.txt"');
  });

  it("asks with buttons", async () => {
    const channel = await open();
    await channel.send("May I?", {
      metadata: { type: "confirmation", options: "approve,reject", tool_call_id: "call-1" },
    });
    expect(JSON.stringify(posted()[0]?.["components"])).toBe(
      '[{"type":1,"components":[' +
        '{"type":2,"style":3,"label":"Approve","custom_id":"approve:call-1"},' +
        '{"type":2,"style":4,"label":"Reject","custom_id":"reject:call-1"}]}]',
    );
  });

  it("shows that it writes every eight seconds, until it has answered or half a minute is over", async () => {
    const clock = createManualClock(Date.now());
    const channel = await open({ clock });
    const place = { conversationId: ids.direct, threadId: "" };
    const typed = (): number => discord.calls("POST", /typing$/).length;
    const isTyped = (times: number): Promise<void> =>
      vi.waitFor(() => expect(typed()).toBe(times), patient);
    channel.type(place);
    await isTyped(1);
    for (const times of [2, 3, 4]) {
      clock.advance(8_000);
      await isTyped(times);
    }
    clock.advance(60_000);
    channel.type(place);
    await isTyped(5);
    await channel.send("there");
    clock.advance(8_000);
    await channel.send("and more");
    expect(typed()).toBe(5);
  });

  it("lets an answer grow in one message, no faster than Discord allows", async () => {
    const clock = createManualClock(Date.now());
    const channel = await open({ clock });
    const question = discord.say("hello");
    const live = (state: string): { metadata: Record<string, string> } => ({
      metadata: { in_reply_to: question.id, _live: "turn-1", _live_state: state },
    });
    const edits = (): number => discord.calls("PATCH", /messages/).length;
    await channel.send("One", live("partial"));
    await channel.send("One two", live("partial"));
    expect(edits()).toBe(0);
    clock.advance(1_500);
    await channel.send("One two three", live("partial"));
    expect(discord.texts()).toEqual(["One two three"]);
    const final = await channel.send("One two three four.", live("final"));
    expect(final?.messageIds).toEqual([discord.posts()[0]?.id]);
    expect(discord.texts()).toEqual(["One two three four."]);
    expect(edits()).toBe(2);
    // What comes after is a message of its own.
    await channel.send("part two", { metadata: { in_reply_to: question.id } });
    expect(discord.texts()).toEqual(["One two three four.", "part two"]);
  });

  it("waits for nothing that will be replaced anyway, and says anew what somebody deleted", async () => {
    const clock = createManualClock(Date.now());
    const channel = await open({ clock });
    const live = (state: string): { metadata: Record<string, string> } => ({
      metadata: { in_reply_to: "1", _live: "turn-1", _live_state: state },
    });
    await channel.send("One", live("partial"));
    clock.advance(1_500);
    const limited = { status: 429, headers: { "Retry-After": "60" }, json: { retry_after: 60 } };
    discord.server.intercept(({ method }) => (method === "PATCH" ? limited : undefined));
    await channel.send("One two", live("partial"));
    discord.server.intercept(({ method }) =>
      method === "PATCH" ? refuse(404, 10_008, "Unknown Message") : undefined,
    );
    await channel.send("One two three.", live("final"));
    expect(discord.texts()).toEqual(["One", "One two three."]);
  });
});

describe("what goes wrong", () => {
  it("is said in words that name what to do, and never the token", async () => {
    const channel = await open();
    discord.server.intercept(({ method, path }) =>
      method === "POST" && path.endsWith("/messages")
        ? refuse(403, 50_013, "Missing Permissions")
        : undefined,
    );
    const problem = await channel.send("hi").then(() => "", String);
    expect(problem).toContain("it needs View Channel, Send Messages");
    await discord.server[Symbol.asyncDispose]();
    const other = await channel.send("hi").then(() => "", String);
    expect(other).toContain("Discord did not answer: ");
    expect(`${problem}${other}${channel.log.join()}`).not.toContain("secret");
  });

  it("with the token ends the channel", async () => {
    const wrong = await open({ config: { bot_token: "wrong.token.secret" } });
    await expect(wrong.ended).rejects.toThrow(/`bot_token`.*Reset Token/);
    discord.gateway.refuseWith(GatewayCloseCodes.AuthenticationFailed);
    const revoked = await open();
    await expect(revoked.ended).rejects.toThrow(/`bot_token`.*Reset Token/);
    expect(`${wrong.log.join()}${revoked.log.join()}`).not.toContain("secret");
  });

  it("with the intents ends the channel, and says what to click", async () => {
    discord.gateway.refuseWith(GatewayCloseCodes.DisallowedIntents);
    const channel = await open();
    await expect(channel.ended).rejects.toThrow(
      /Switch on the Message Content Intent: .*, Bot, Privileged Gateway Intents/,
    );
  });

  it("with limits is waited for, and told when it is long", async () => {
    const channel = await open();
    let refusals = 0;
    const limit = (seconds: string) => (request: StubRequest) => {
      if (request.method !== "POST" || refusals > 0) return undefined;
      refusals += 1;
      const headers = { "Retry-After": seconds, "X-RateLimit-Scope": "user" };
      return { status: 429, headers, json: { message: "limited", retry_after: Number(seconds) } };
    };
    discord.server.intercept(limit("0.2"));
    await channel.send("in a moment");
    expect(discord.texts()).toEqual(["in a moment"]);
    refusals = 0;
    discord.server.intercept(limit("45"));
    await expect(channel.send("later")).rejects.toThrow("Discord asks to wait for 46 s");
  });

  it("on the way back does not make a message appear twice", async () => {
    const channel = await open();
    let tries = 0;
    // Discord has the message, and the answer is lost; what the gateway tells of it is lost, too.
    discord.server.intercept((request) => {
      if (request.method !== "POST" || !request.path.endsWith("/messages")) return {};
      tries += 1;
      const body = discord.readBody(request);
      if (tries > 2) return { json: discord.posts().find(({ nonce }) => nonce === body["nonce"]) };
      if (tries === 1) discord.put(String(body["content"]), { ...body, author: ownAuthor });
      return { status: 502, json: {} };
    });
    const more = { deliveryId: "the same" };
    await expect(channel.send("once", more)).rejects.toThrow("Discord is in trouble (HTTP 502)");
    await channel.send("once", more);
    await channel.send("once", more);
    expect(tries).toBe(3);
    const nonces = posted().map(({ nonce }) => nonce);
    expect(new Set(nonces).size).toBe(1);
    expect(discord.texts()).toEqual(["once"]);
  });

  it("is not repeated either when the answer was found long after", async () => {
    const first = await open();
    const hourAgo = toSnowflake(Date.now() - 3_600_000);
    discord.put("a question", { id: hourAgo });
    discord.put("an answer", { author: ownAuthor });
    const metadata = { in_reply_to: hourAgo };
    await first.send("an answer", { metadata });
    expect(discord.texts()).toEqual(["an answer"]);
    // The same words in another delivery are another message.
    await first.send("an answer", { metadata });
    expect(discord.texts()).toEqual(["an answer", "an answer"]);
  });

  it("with settings is said by their names", async () => {
    const refused: readonly [Readonly<Record<string, unknown>>, RegExp][] = [
      [{ bot_token: "" }, /`bot_token` is missing/],
      [{ bot_token: "a b" }, /`bot_token` holds a character/],
      [{ bot_token: 5 }, /`bot_token` must be a text/],
      [{ reply_in_threads: "sometimes" }, /`reply_in_threads` must be true or false/],
      [{ api_url: "http://discord.example/api" }, /`api_url` must begin with https/],
      [{ api_url: "discord" }, /`api_url` must be a URL/],
    ];
    for (const [config, words] of refused) await expect(open({ config })).rejects.toThrow(words);
  });
});
