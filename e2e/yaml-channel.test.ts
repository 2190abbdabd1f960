import { writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  slackBot,
  slackMessage,
  startSlackStub,
} from "../packages/opentalon/src/channels/yaml/testing/slack-stub.ts";
import { startStubServer } from "../packages/opentalon/src/channels/yaml/testing/stub-server.ts";
import {
  startTelegramStub,
  telegramBot,
  telegramMessage,
} from "../packages/opentalon/src/channels/yaml/testing/telegram-stub.ts";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { runOpenTalon } from "./support/run-opentalon.ts";
import { createScratch, testKey } from "./support/scratch.ts";

const patient = { timeout: 60_000 };

/** Everybody may talk; who may not is the business of other tests. */
const access = { policy: "open" };

describe("a channel of a platform", () => {
  it("is named by one word, answers each message once over restarts, and keeps its tokens to itself", async () => {
    await using slack = await startSlackStub();
    await using models = await createModelServer();
    using scratch = createScratch();
    const configPath = scratch.writeConfig(models.url, {
      channels: {
        "my-slack": { enabled: true, plugin: "slack", config: { api_url: slack.apiUrl }, access },
      },
    });
    const environment = { SLACK_BOT_TOKEN: slackBot.token, SLACK_APP_TOKEN: slackBot.appToken };
    const once = slackMessage("Grüße 🎉");
    let output = "";
    {
      await using core = startCore({ configPath, environment });
      await core.ready();
      for (let delivery = 0; delivery < 4; delivery += 1) slack.emit(once);
      await expect.poll(slack.texts, patient).toEqual(["answer: Grüße 🎉"]);
      core.signal("SIGKILL");
      await core.exited;
      output += core.output() + core.otherErrors() + JSON.stringify(core.log);
    }
    {
      await using core = startCore({ configPath, environment });
      await core.ready();
      slack.emit(once);
      slack.emit(slackMessage("what else?"));
      await expect.poll(slack.texts, patient).toEqual(["answer: Grüße 🎉", "answer: what else?"]);
      core.signal("SIGTERM");
      expect(await core.exited).toBe(0);
      output += core.output() + core.otherErrors() + JSON.stringify(core.log);
    }
    expect(output).not.toContain(slackBot.token);
    expect(output).not.toContain(slackBot.appToken);
    expect(output).not.toContain("ticket=t1");
    expect(models.requests.length).toBe(2);
  });

  it("loses nothing and repeats nothing when the program is killed between messages of a platform that is asked", async () => {
    await using telegram = await startTelegramStub();
    await using models = await createModelServer();
    using scratch = createScratch();
    const config = { bot_token: telegramBot.token, api_url: telegram.server.url };
    const configPath = scratch.writeConfig(models.url, {
      channels: { telegram: { enabled: true, plugin: "telegram", config, access } },
    });
    const contents = Array.from({ length: 9 }, (_, index) => `message ${index}`);
    for (let run = 0; run < 3; run += 1) {
      await using core = startCore({ configPath });
      await core.ready();
      for (const content of contents.slice(run * 3, run * 3 + 3))
        telegram.add(telegramMessage(content));
      const expected = contents.slice(0, run * 3 + 3).map((content) => `answer: ${content}`);
      await expect.poll(telegram.texts, patient).toEqual(expected);
      core.signal("SIGKILL");
      await core.exited;
    }
  });
});

describe("a reaction on a platform", () => {
  it("judges the answer it stands under; only the newest one is given anew", async () => {
    await using slack = await startSlackStub();
    await using models = await createModelServer();
    models.setScript(({ body }) => ({
      kind: "message",
      text: `${body.model}: ${String(body.messages?.at(-1)?.content)}`,
    }));
    using scratch = createScratch();
    const provider = { base_url: models.url, api_key: testKey, models: ["small", "big"] };
    const configPath = scratch.writeConfig(models.url, {
      models: {
        providers: { p: provider },
        catalog: { "p/small": { weight: 90 }, "p/big": { weight: 10 } },
      },
      routing: {},
      channels: {
        slack: { enabled: true, plugin: "slack", config: { api_url: slack.apiUrl }, access },
      },
    });
    const environment = { SLACK_BOT_TOKEN: slackBot.token, SLACK_APP_TOKEN: slackBot.appToken };
    await using core = startCore({ configPath, environment });
    await core.ready();
    const say = async (text: string): Promise<string | undefined> => {
      const { length } = slack.texts();
      slack.emit(slackMessage(text));
      await expect.poll(slack.texts, patient).toHaveLength(length + 1);
      // An answer that is still being written ends with this sign.
      await expect.poll(() => slack.texts().at(-1), patient).not.toMatch(/◍$/);
      return slack.texts().at(-1);
    };
    let reactions = 0;
    /** Under the n-th message of the bot, counted from 1. */
    const react = (reaction: string, message: number): void => {
      const ts = `1700000000.${String(message).padStart(6, "0")}`;
      const event = {
        type: "reaction_added",
        user: "U0ADA",
        reaction,
        item: { type: "message", channel: "D0ADA", ts },
        item_user: slackBot.userId,
        event_ts: `1700000200.${String((reactions += 1)).padStart(6, "0")}`,
      };
      slack.emit({ type: "event_callback", team_id: "T1", event });
    };
    const judgements = async () => {
      const command = ["--config", configPath, "routing", "report", "--json"];
      const { stdout } = await runOpenTalon({ arguments: command, folder: scratch.folder });
      const { rows } = JSON.parse(stdout) as { rows: readonly Record<string, unknown>[] };
      return rows.map(({ model, accepted, rejected }) => ({ model, accepted, rejected }));
    };

    expect(await say("What is the capital of Peru?")).toMatch(/^small: /);
    expect(await say("And who wrote Faust?")).toMatch(/^small: /);
    expect(await judgements()).toEqual([{ model: "p/small", accepted: 1, rejected: 0 }]);
    react("-1", 1);
    await expect
      .poll(judgements, patient)
      .toEqual([{ model: "p/small", accepted: 0, rejected: 1 }]);
    react("arrows_counterclockwise", 1);
    await expect.poll(() => slack.texts()[2], patient).toMatch(/^Only the newest answer/);
    expect(await say("/why")).toMatch(/^p\/small answered/);
    expect(models.requests).toHaveLength(2);

    react("arrows_counterclockwise", 2);
    await expect.poll(() => slack.texts()[4], patient).toBe("big: And who wrote Faust?");
    expect(await say("/why")).toMatch(/^p\/big answered: the answer of p\/small was rejected/);
    core.signal("SIGTERM");
    expect(await core.exited).toBe(0);
  });
});

describe("the format of a channel", () => {
  async function ask(
    orchestrator: Readonly<Record<string, unknown>>,
    script: string,
  ): Promise<readonly string[]> {
    await using telegram = await startTelegramStub();
    await using models = await createModelServer();
    using scratch = createScratch();
    writeFileSync(join(scratch.folder, "rule.lua"), script);
    const config = { bot_token: telegramBot.token, api_url: telegram.server.url };
    const configPath = scratch.writeConfig(models.url, {
      channels: { telegram: { enabled: true, plugin: "telegram", config, access } },
      lua: { scripts_dir: scratch.folder },
      orchestrator,
    });
    await using core = startCore({ configPath });
    await core.ready();
    telegram.add(telegramMessage("**bold** & `a < b`"));
    await expect.poll(() => telegram.texts().length, patient).toBe(1);
    await expect.poll(() => telegram.texts()[0], patient).not.toMatch(/◍$/);
    return telegram.texts();
  }

  const formatters = { response_formatters: [{ plugin: "lua:rule" }] };

  it("is what Markdown becomes, unless a formatter has written it", async () => {
    expect(await ask({}, "")).toEqual(["answer: <b>bold</b> &amp; <code>a &lt; b</code>"]);
    const footer = "function format(text) return text .. '\\n\\n_a footer_' end";
    expect(await ask(formatters, footer)).toEqual([
      "answer: <b>bold</b> &amp; <code>a &lt; b</code>\n\n<i>a footer</i>",
    ]);
    const own =
      "function format(text, response_format) return '<u>' .. response_format .. '</u> *x*' end";
    expect(await ask(formatters, own)).toEqual(["<u>telegram</u> *x*"]);
  });
});

describe("definitions of one's own", () => {
  it("stand side by side at the door and at ports of their own", async () => {
    await using platform = await startStubServer({ handle: () => ({ json: { ok: true } }) });
    await using models = await createModelServer();
    using scratch = createScratch();
    const [first, second] = [await findFreePort(), await findFreePort()];
    const define = (name: string, webhook: string): string => {
      const path = join(scratch.folder, `${name}.yaml`);
      writeFileSync(
        path,
        `
id: ${name}
inbound:
  http_webhook: ${webhook}
  mapping: {conversation_id: chat, sender_id: from, content: text}
  dedup: {key: "{{event.id}}"}
outbound:
  send: {url: "${platform.url}/${name}", body: '{"text":"{{msg.content}}"}'}
`,
      );
      return path;
    };
    const secret = "secret_header: X-Token, secret_value: '{{env.HOOK_SECRET}}'";
    const channels = {
      one: define("one", `{path: /hook, ${secret}}`),
      two: define("two", `{path: /hook, port: ${first}, ${secret}}`),
      three: define("three", `{path: /other, port: ${first}, ${secret}}`),
      four: define("four", `{path: /hook, port: ${second}, ${secret}}`),
      // The address is taken: this one is left out, by name.
      five: define("five", `{path: /hook, port: ${second}, ${secret}}`),
    };
    const configPath = scratch.writeConfig(models.url, {
      server: { addr: "127.0.0.1:0" },
      channels: Object.fromEntries(
        Object.entries(channels).map(([name, plugin]) => [name, { enabled: true, plugin, access }]),
      ),
    });
    await using core = startCore({ configPath, environment: { HOOK_SECRET: "hook-secret" } });
    const door = await core.door();
    await core.logged(({ problem }) =>
      /channel five wants .* which channel four has/.test(String(problem)),
    );
    const post = async (address: string, token = "hook-secret"): Promise<number> => {
      const body = JSON.stringify({ id: address, chat: "c", from: "u", text: "hello" });
      const response = await fetch(`http://${address}`, {
        method: "POST",
        body,
        headers: { "x-token": token },
      });
      return response.status;
    };
    const addresses = [
      `${door}/hook`,
      `127.0.0.1:${first}/hook`,
      `127.0.0.1:${first}/other`,
      `127.0.0.1:${second}/hook`,
    ];
    for (const address of addresses) {
      expect(await post(address, "wrong")).toBe(401);
      expect(await post(address)).toBe(200);
    }
    const answered = (): readonly string[] => platform.requests.map(({ path }) => path).toSorted();
    await expect.poll(answered, patient).toEqual(["/four", "/one", "/three", "/two"]);
    const large = await fetch(`http://${door}/hook`, {
      method: "POST",
      body: "x".repeat(1_048_577),
    });
    expect(large.status).toBe(413);
    expect((await fetch(`http://${door}/hook`)).status).toBe(405);
  });

  it("that cannot be read say where, while the other channels run", async () => {
    await using slack = await startSlackStub();
    await using models = await createModelServer();
    using scratch = createScratch();
    const path = join(scratch.folder, "broken.yaml");
    writeFileSync(path, "id: x\ninbound:\n  skip: 5\n");
    const config = {
      bot_token: slackBot.token,
      app_token: slackBot.appToken,
      api_url: slack.apiUrl,
    };
    const configPath = scratch.writeConfig(models.url, {
      channels: {
        broken: { enabled: true, plugin: "broken.yaml" },
        slack: { enabled: true, plugin: "slack", config, access },
      },
    });
    await using core = startCore({ configPath });
    await core.ready();
    const { problem } = await core.logged(({ channel }) => channel === "broken");
    expect(problem).toBe(`${path}:3: inbound.skip: a list is expected here`);
    slack.emit(slackMessage("hello"));
    await expect.poll(slack.texts, patient).toEqual(["answer: hello"]);
  });
});

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}
