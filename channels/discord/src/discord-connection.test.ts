import { ChannelType, GatewayOpcodes } from "@discordjs/core/http-only";
import { cp, mkdtemp, mkdtempDisposable, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Clock, systemClock } from "./clock.ts";
import { toSnowflake } from "./snowflake.ts";
import { discordBot, type DiscordStub, ids, startDiscordStub } from "./testing/discord-stub.ts";
import { type OpenDiscord, openDiscord, type OpenDiscordOptions } from "./testing/open-discord.ts";

const patient = { timeout: 15_000 };
const talon = `<@${discordBot.id}>`;
const mentioned = {
  channel_id: ids.channel,
  mentions: [{ id: discordBot.id, username: "talon" }],
};

/** Pauses between tries are short here. */
const hasty: Clock = {
  ...systemClock,
  sleep: (delayMs, signal) => systemClock.sleep(Math.min(delayMs, 50), signal),
};

let discord: DiscordStub;
let folder: string;
const opened: AsyncDisposable[] = [];

beforeEach(async () => {
  discord = await startDiscordStub();
  folder = await mkdtemp(join(tmpdir(), "opentalon-test-"));
});

afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each[Symbol.asyncDispose]();
  await discord[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function open(options: Omit<OpenDiscordOptions, "discord"> = {}): Promise<OpenDiscord> {
  const channel = await openDiscord({ discord, folder, clock: hasty, ...options });
  opened.push(channel);
  return channel;
}

const hears = (channel: OpenDiscord, contents: readonly string[]): Promise<void> =>
  vi.waitFor(() => expect(channel.contents()).toEqual(contents), patient);

/** The texts of both, each once; the second run may hear again what the first one had. */
function unite(...channels: readonly OpenDiscord[]): readonly string[] {
  const byId = new Map(
    channels.flatMap(({ received }) => received.map((each) => [each.messageId, each.content])),
  );
  return [...byId.values()];
}

describe("a connection that is lost", () => {
  it("is taken up again, with what was written meanwhile", async () => {
    const channel = await open();
    discord.say("before");
    await hears(channel, ["before"]);
    discord.gateway.drop();
    discord.say("meanwhile");
    await hears(channel, ["before", "meanwhile"]);
    discord.gateway.sendOp(GatewayOpcodes.Reconnect);
    await vi.waitFor(() => expect(discord.gateway.resumes()).toBe(2), patient);
    discord.gateway.close(4_000);
    await vi.waitFor(() => expect(discord.gateway.resumes()).toBe(3), patient);
    discord.say("after");
    await hears(channel, ["before", "meanwhile", "after"]);
    expect(discord.gateway.identifies()).toBe(1);
    expect(channel.log.join("\n")).toMatch(
      /the connection to Discord was closed \(code 1006\); trying again at once/,
    );
  });

  it("is begun anew when Discord has forgotten it, and what was missed is looked up", async () => {
    const quiet = "800000000000000031";
    const closed = "800000000000000032";
    for (const id of [quiet, closed])
      discord.addChannel({ id, type: ChannelType.GuildText, guild_id: ids.guild });
    const channel = await open();
    discord.say("direct");
    discord.say(`${talon} in the channel`, mentioned);
    await hears(channel, ["direct", "in the channel"]);
    discord.gateway.forgetSessions();
    discord.gateway.drop();
    discord.put("missed, direct");
    for (let index = 0; index < 150; index += 1)
      discord.put("chatter", { channel_id: ids.channel });
    discord.put(`${talon} missed, in the channel`, mentioned);
    // One in which nothing was ever heard, and one that may not be read.
    discord.put(`${talon} missed, elsewhere`, { ...mentioned, channel_id: quiet });
    discord.put(`${talon} unseen`, { ...mentioned, channel_id: closed });
    discord.server.intercept(({ path }) =>
      path.includes(`${closed}/messages`)
        ? { status: 403, json: { code: 50_001, message: "Missing Access" } }
        : undefined,
    );
    const whole = [
      ["direct", "in the channel", "missed, direct"],
      ["missed, in the channel", "missed, elsewhere"],
    ].flat();
    await hears(channel, whole);
    expect(discord.gateway.identifies()).toBe(2);
    discord.say("live again");
    await hears(channel, [...whole, "live again"]);
    expect(channel.log.join("\n")).toContain(`channel ${closed} could not be read on`);
  });

  it("is noticed when nobody answers any more", async () => {
    discord.gateway.setHeartbeatInterval(100);
    const channel = await open();
    discord.gateway.setAlive(false);
    await vi.waitFor(() => expect(discord.gateway.resumes()).toBeGreaterThan(0), patient);
    discord.gateway.setAlive(true);
    discord.say("still there?");
    await hears(channel, ["still there?"]);
  });

  it("is waited for, one line a try", async () => {
    discord.server.intercept(() => ({ status: 503, json: {} }));
    const opening = open();
    await vi.waitFor(() => expect(discord.server.requests.length).toBeGreaterThan(1), patient);
    discord.server.intercept(undefined);
    const channel = await opening;
    discord.say("at last");
    await hears(channel, ["at last"]);
    expect(channel.log).toEqual([
      "not connected to Discord: Discord is in trouble (HTTP 503); trying again in 1 s",
    ]);
  });
});

describe("a start after an end", () => {
  it("takes the connection up again, and misses nothing", async () => {
    const first = await open();
    discord.say("one");
    await hears(first, ["one"]);
    await first.stop();
    discord.say("two");
    discord.gateway.dispatch("MESSAGE_REACTION_ADD", {
      user_id: ids.person,
      channel_id: ids.direct,
      message_id: discord.put("an answer", { author: { id: discordBot.id } }).id,
      message_author_id: discordBot.id,
      emoji: { name: "👍" },
    });
    const second = await open();
    await hears(second, ["two", ""]);
    expect(discord.gateway.identifies()).toBe(1);
    expect(discord.gateway.resumes()).toBe(1);
    expect((await stat(join(folder, "discord.json"))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(folder, "discord.json"), "utf8")).not.toContain("secret");
  });

  it("looks up what it missed when the connection is gone, but nothing older than a day", async () => {
    const first = await open();
    discord.say("one");
    await hears(first, ["one"]);
    await first.stop();
    discord.gateway.forgetSessions();
    discord.put("two");
    discord.put(`${talon} three`, mentioned);
    const second = await open();
    await vi.waitFor(() => expect(unite(first, second)).toEqual(["one", "two", "three"]), patient);
    await second.stop();
    discord.gateway.forgetSessions();
    const longAgo = toSnowflake(Date.now() - 25 * 3_600_000);
    discord.put("too old", { id: longAgo });
    const third = await open();
    discord.say("now");
    await vi.waitFor(() => expect(third.contents()).toContain("now"), patient);
    expect(third.contents()).not.toContain("too old");
  });

  it("does not mind a file that cannot be read", async () => {
    await writeFile(join(folder, "discord.json"), "{");
    const channel = await open();
    discord.say("hello");
    await hears(channel, ["hello"]);
    expect(channel.log.join()).toContain("cannot be read and is begun anew");
  });

  it("finishes the answer that was growing, and says nothing twice", async () => {
    const first = await open();
    const question = discord.say("hello");
    const metadata = { in_reply_to: question.id };
    await first.send("One", { metadata: { ...metadata, _live: "t", _live_state: "partial" } });
    await first.stop();
    const second = await open();
    const answer = { deliveryId: "d", metadata };
    await second.send("One two.", answer);
    await second.send("One two.", answer);
    expect(discord.texts()).toEqual(["One two."]);
    await second.stop();
    const third = await open();
    await third.send("One two.", answer);
    expect(discord.texts()).toEqual(["One two."]);
  });

  it("finds the answer that had just begun to grow when it was killed", async () => {
    const first = await open();
    const metadata = { in_reply_to: discord.say("hello").id };
    // Discord has it, and nobody learns so.
    discord.server.intercept((request) => {
      if (request.method !== "POST") return undefined;
      const body = discord.readBody(request);
      discord.put(String(body["content"]), { ...body, author: { id: discordBot.id } });
      return new Promise(() => {});
    });
    const partial = { ...metadata, _live: "t", _live_state: "partial" };
    first.send("One", { metadata: partial }).catch(() => undefined);
    await vi.waitFor(() => expect(discord.texts()).toEqual(["One"]), patient);
    discord.server.intercept(undefined);
    // What stands on disk at this moment is all the next one has.
    await using left = await mkdtempDisposable(join(tmpdir(), "opentalon-test-"));
    await cp(folder, left.path, { recursive: true });
    await first.stop();
    const second = await open({ folder: left.path });
    await second.send("One two.", { deliveryId: "d#1", metadata });
    await second.send("Three.", { deliveryId: "d#2", metadata });
    expect(discord.texts()).toEqual(["One two.", "Three."]);
    await second.stop();
  });

  it("reads again what was not safe when it ended", async () => {
    const given: string[] = [];
    const receive = ({ content }: { readonly content: string }): Promise<void> => {
      given.push(content);
      return new Promise(() => {});
    };
    const first = await open({ receive });
    discord.say("one");
    await vi.waitFor(() => expect(given).toEqual(["one"]), patient);
    await first.stop();
    const second = await open();
    await hears(second, ["one"]);
  });
});

describe("a flood", () => {
  it("that OpenTalon does not take is read later, each message once and in order", async () => {
    const gate = Promise.withResolvers<void>();
    const channel = await open({ receive: () => gate.promise });
    const contents = Array.from({ length: 1_500 }, (_, index) => `message ${index}`);
    for (const content of contents) discord.say(content);
    await vi.waitFor(
      () => expect(channel.log.join()).toContain("messages are read later"),
      patient,
    );
    expect(channel.received.length).toBe(0);
    gate.resolve();
    await vi.waitFor(() => expect(channel.received.length).toBe(contents.length), patient);
    expect(channel.contents()).toEqual(contents);
    discord.say("the end");
    await vi.waitFor(() => expect(channel.contents().at(-1)).toBe("the end"), patient);
  });
});
