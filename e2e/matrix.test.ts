import { describe, expect, it } from "vitest";
import { bot, startHomeserverStub } from "../channels/matrix/src/testing/homeserver-stub.ts";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { createScratch } from "./support/scratch.ts";

const patient = { timeout: 60_000 };

/** Everybody may talk; who may not is the business of other tests. */
const access = { policy: "open" };

describe("Matrix", () => {
  it("is named by one word; an answer grows in its place, and the token stays a secret", async () => {
    await using homeserver = await startHomeserverStub();
    await using models = await createModelServer({
      kind: "message",
      text: ["It", " is", " **42**", " I", " think."],
      delayBetweenChunksMs: 700,
    });
    using scratch = createScratch();
    const config = { homeserver: homeserver.url, access_token: "${MATRIX_TOKEN}" };
    const configPath = scratch.writeConfig(models.url, {
      channels: { chat: { enabled: true, plugin: "matrix", config, access } },
    });
    await using core = startCore({ configPath, environment: { MATRIX_TOKEN: bot.token } });
    await core.ready();
    await expect.poll(() => homeserver.calls(/\/sync$/).length, patient).toBeGreaterThan(1);
    const room = homeserver.openDirectChat();
    homeserver.say(room, "What is 6 × 7?");
    await expect.poll(() => homeserver.texts(room), patient).toEqual(["It is **42** I think."]);
    const sent = homeserver.sent("m.room.message").map(({ content }) => content);
    expect(sent.length).toBeGreaterThan(1);
    expect(homeserver.shown(room)[0]?.content["formatted_body"]).toBe(
      "It is <strong>42</strong> I think.",
    );
    expect(homeserver.calls(/\/typing\//).length).toBeGreaterThan(0);
    core.signal("SIGTERM");
    expect(await core.exited).toBe(0);
    expect(homeserver.openConnections()).toBe(0);
    const output = core.output() + core.otherErrors() + JSON.stringify(core.log);
    expect(output).toContain(`signed in as ${bot.userId}`);
    expect(output).not.toContain(bot.token);
  });

  it("whose token is worth nothing says so where readiness is asked", async () => {
    await using homeserver = await startHomeserverStub();
    await using models = await createModelServer();
    using scratch = createScratch();
    const config = { homeserver: homeserver.url, access_token: "syt_revoked" };
    const configPath = scratch.writeConfig(models.url, {
      channels: { chat: { enabled: true, plugin: "matrix", config, access } },
      server: { enabled: true, addr: "127.0.0.1:0" },
    });
    await using core = startCore({ configPath });
    const door = await core.door();
    const readUnready = async (): Promise<string> => (await fetch(`http://${door}/readyz`)).text();
    await expect
      .poll(readUnready, patient)
      .toMatch(
        /channel chat: .*`access_token` is not valid at 127\.0\.0\.1:\d+ \(M_UNKNOWN_TOKEN\)/,
      );
    core.signal("SIGTERM");
    expect(await core.exited).toBe(0);
    expect(core.otherErrors() + JSON.stringify(core.log)).not.toContain("syt_revoked");
  });

  it("answers each message once though the program is killed while they flow", async () => {
    await using homeserver = await startHomeserverStub();
    await using models = await createModelServer();
    using scratch = createScratch();
    const config = { homeserver: homeserver.url, access_token: bot.token };
    const unlimited = { messages: 0 };
    const configPath = scratch.writeConfig(models.url, {
      channels: {
        chat: { enabled: true, plugin: "matrix", config, access, rate_limit: unlimited },
      },
    });
    const rooms = ["@ada:hs.test", "@bob:hs.test", "@eve:hs.test"].map((person) => ({
      person,
      room: homeserver.openDirectChat(person),
    }));
    const said: string[] = [];
    let isOver = false;
    let talking = Promise.resolve();
    const talk = async (): Promise<void> => {
      while (!isOver) {
        const { person, room } = rooms[said.length % rooms.length] ?? { person: "", room: "" };
        said.push(`message ${said.length}`);
        homeserver.say(room, said.at(-1) ?? "", {}, person);
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    };
    for (let run = 0; run < 3; run += 1) {
      await using core = startCore({ configPath });
      await core.ready();
      if (run === 0) {
        await expect.poll(() => homeserver.calls(/\/sync$/).length, patient).toBeGreaterThan(1);
        talking = talk();
      }
      const before = homeserver.texts().length;
      await expect.poll(() => homeserver.texts().length, patient).toBeGreaterThan(before + 10);
      core.signal("SIGKILL");
      await core.exited;
    }
    isOver = true;
    await talking;
    await using core = startCore({ configPath });
    await core.ready();
    const answered = (): readonly string[] => homeserver.texts().toSorted();
    const expected = said.map((content) => `answer: ${content}`).toSorted();
    await expect.poll(answered, patient).toEqual(expected);
    core.signal("SIGTERM");
    expect(await core.exited).toBe(0);
    expect(answered()).toEqual(expected);
  });
});
