import { describe, expect, it } from "vitest";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { createScratch, fakePlugin, testKey, toLocalProvider } from "./support/scratch.ts";
import { createWebhookPeer } from "./support/webhook-peer.ts";

describe("slash commands", () => {
  it("/help and /commands list all commands without asking a model", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    await using core = startCore({ configPath: scratch.writeConfig(models.url) });
    core.write("/help\n/commands\n");
    core.end();
    expect(await core.exited).toBe(0);
    for (const command of ["/help", "/clear", "/new", "/model", "/show config"]) {
      expect(core.output().split(command).length - 1).toBeGreaterThanOrEqual(2);
    }
    expect(models.requests).toEqual([]);
  });

  it("/clear and /new make the model forget, and only then", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    await using core = startCore({ configPath: scratch.writeConfig(models.url) });
    core.write("one\ntwo\n/clear\nthree\n/new\nfour\n");
    core.end();
    expect(await core.exited).toBe(0);
    const said = models.requests.map(({ body }) =>
      body.messages?.slice(1).map(({ content }) => content),
    );
    expect(said).toEqual([["one"], ["one", "answer: one", "two"], ["three"], ["four"]]);
  });

  it("/model lists the models, lets another one answer, and gives the choice back to routing", async () => {
    using scratch = createScratch();
    await using first = await createModelServer({ kind: "message", text: "I am the first." });
    await using second = await createModelServer({ kind: "message", text: "I am the second." });
    const configPath = scratch.writeConfig(first.url, {
      models: {
        providers: { local: toLocalProvider(first.url), other: toLocalProvider(second.url) },
      },
    });
    {
      await using core = startCore({ configPath });
      core.write("/model\nhello\n/model no-such-model\n/model other/test-model\nhello\n/model\n");
      core.end();
      expect(await core.exited).toBe(0);
      const output = core.output();
      expect(output).toMatch(/^\* local\/test-model\n {2}other\/test-model\n.*chosen by routing/);
      expect(output).toContain('There is no model "no-such-model"');
      expect(output).toMatch(
        /I am the first\.\n[^]*other\/test-model answers from now on[^]*I am the second\.\n/,
      );
      expect(output).toMatch(/\n {2}local\/test-model\n\* other\/test-model\n.*chosen by you/);
    }
    // The choice belongs to the conversation, not to the process.
    await using core = startCore({ configPath });
    core.write("hello\n/model auto\nhello\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toMatch(/^I am the second\.\n.*[Rr]outing.*\nI am the first\.\n$/);
    expect([first.requests.length, second.requests.length]).toEqual([2, 2]);
  });

  it("that do not exist are answered with a hint, and no model is asked", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    await using core = startCore({ configPath: scratch.writeConfig(models.url) });
    core.write("/frobnicate now\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe("There is no command /frobnicate. /help lists them.\n");
    expect(models.requests).toEqual([]);
  });

  it("are not what a path or a lone slash is: those are ordinary text", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    await using core = startCore({ configPath: scratch.writeConfig(models.url) });
    core.write("/usr/bin\n/etc/passwd is what?\n/ hm\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe("answer: /usr/bin\nanswer: /etc/passwd is what?\nanswer: / hm\n");
  });
});

describe("/show config", () => {
  it("shows what is in effect, and no secret of any part of it", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const secrets = {
      plugin: "planted-plugin-password",
      header: "planted-header-value",
      env: "planted-env-token",
      channel: "planted-channel-signing-secret",
      door: "planted-door-token",
      variable: "planted-in-a-variable",
      url: "planted-url-password",
    };
    const configPath = scratch.writeConfig(models.url, {
      plugins: {
        fake: {
          ...fakePlugin(),
          env: [`FAKE_TOKEN=${secrets.env}`],
          config: {
            password: secrets.plugin,
            headers: { "X-Auth": secrets.header },
            token: "${PLANTED}",
            colour: "blue",
          },
        },
      },
      channels: {
        console: { enabled: true, plugin: "console", config: {} },
        hook: {
          enabled: false,
          plugin: `https://me:${secrets.url}@platform.invalid/out`,
          config: { secret: secrets.channel },
        },
      },
      server: { enabled: true, addr: "127.0.0.1:0", token: secrets.door },
    });
    await using core = startCore({
      configPath,
      environment: { PLANTED: secrets.variable, LOG_LEVEL: "debug" },
    });
    core.write("/show config\n/show\n/show anything\n");
    await expect
      .poll(() => core.output().match(/Usage: \/show config/g)?.length, { timeout: 30_000 })
      .toBe(2);
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toContain("colour: blue");
    expect(core.output()).toContain(models.url);
    const everything = core.output() + core.otherErrors() + JSON.stringify(core.log);
    for (const secret of [...Object.values(secrets), testKey])
      expect(everything).not.toContain(secret);
  });

  it("is for the operator at the terminal only", async () => {
    using scratch = createScratch();
    let door = "";
    await using peer = await createWebhookPeer({ channel: "web", door: () => door });
    await using models = await createModelServer();
    const configPath = scratch.writeConfig(models.url, {
      channels: { web: { enabled: true, plugin: peer.url, config: {} } },
      server: { addr: "127.0.0.1:0" },
    });
    await using core = startCore({ configPath });
    door = await core.door();
    expect(await peer.post({ id: "1", conversation: "c", content: "/show config" })).toBe(202);
    await expect.poll(() => peer.arrived.length, { timeout: 30_000 }).toBe(1);
    expect(peer.arrived[0]?.content).toMatch(/Only the operator/);
    expect(peer.arrived[0]?.metadata).toMatchObject({
      type: "system",
      action: "show",
      in_reply_to: "1",
    });
  });
});
