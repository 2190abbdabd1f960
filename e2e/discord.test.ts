import { describe, expect, it } from "vitest";
import { discordBot, startDiscordStub } from "../channels/discord/src/testing/discord-stub.ts";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { createScratch } from "./support/scratch.ts";

const patient = { timeout: 60_000 };
const kills = 2;

describe("Discord", () => {
  it("is answered by name of the channel, each message once over kills of the program", async () => {
    await using discord = await startDiscordStub();
    await using models = await createModelServer();
    using scratch = createScratch();
    const configPath = scratch.writeConfig(models.url, {
      channels: {
        "my-discord": {
          enabled: true,
          plugin: "discord",
          config: { bot_token: "${DISCORD_BOT_TOKEN}", api_url: discord.apiUrl },
          // Everybody may talk; who may not is the business of other tests.
          access: { policy: "open" },
          rate_limit: { messages: 1_000, per: "1m" },
        },
      },
    });
    const environment = { DISCORD_BOT_TOKEN: discordBot.token };
    const said: string[] = [];
    const say = (): void => {
      said.push(`message ${said.length}`);
      discord.say(said.at(-1) ?? "");
    };
    const expected = (): readonly string[] =>
      said.map((content) => `answer: ${content}`).toSorted();
    const countAnswers = (): number => discord.texts().length;
    let output = "";
    for (let run = 0; run <= kills; run += 1) {
      await using core = startCore({ configPath, environment });
      await core.ready();
      await discord.gateway.connected();
      const before = countAnswers();
      for (let count = 0; count < 10; count += 1) say();
      await expect.poll(countAnswers, patient).toBeGreaterThan(before);
      if (run === kills) {
        await expect.poll(() => discord.texts().toSorted(), patient).toEqual(expected());
        core.signal("SIGTERM");
        expect(await core.exited).toBe(0);
      } else {
        core.signal("SIGKILL");
        await core.exited;
        // Its channel goes with it; what is written now waits on the platform.
        await expect.poll(discord.gateway.openCount, patient).toBe(0);
        say();
      }
      output += core.output() + core.otherErrors() + JSON.stringify(core.log);
    }
    expect(discord.texts().toSorted()).toEqual(expected());
    expect(output).not.toContain("secret");
  });

  it("says in the log what is missing, while the others run", async () => {
    await using discord = await startDiscordStub();
    await using models = await createModelServer();
    using scratch = createScratch();
    const entry = (bot_token: string): Readonly<Record<string, unknown>> => ({
      enabled: true,
      plugin: "discord",
      config: { bot_token, api_url: discord.apiUrl },
      access: { policy: "open" },
    });
    const channels = {
      right: entry(discordBot.token),
      wrong: entry("wrong.token.secret"),
      empty: entry(""),
    };
    const configPath = scratch.writeConfig(models.url, { channels });
    await using core = startCore({ configPath });
    await core.ready();
    const isSaid = (channel: string, words: RegExp): Promise<unknown> =>
      core.logged((line) => line["channel"] === channel && words.test(String(line["problem"])));
    await isSaid("wrong", /Discord refuses the bot token \(`bot_token`\).*Reset Token/);
    await isSaid("empty", /`bot_token` is missing/);
    await discord.gateway.connected();
    discord.say("hello");
    await expect.poll(discord.texts, patient).toEqual(["answer: hello"]);
    expect(JSON.stringify(core.log)).not.toContain("secret");
  });
});
