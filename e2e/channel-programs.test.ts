import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createFakeChat } from "../packages/opentalon/src/channels/testing/fake-chat.ts";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { isRunning } from "./support/processes.ts";
import { createScratch, root, type Scratch } from "./support/scratch.ts";

const patient = { timeout: 60_000 };

/** An entry for the fake channel of the unit tests, as a program in a folder of the test. */
function fakeChannel(
  { folder }: Scratch,
  options: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const script = join(root, "packages/opentalon/src/channels/testing/fake-channel.ts");
  const path = join(folder, "fake-channel");
  writeFileSync(path, `#!/bin/sh\nexec "${process.execPath}" "${script}" "$FAKE_CHANNEL"\n`);
  chmodSync(path, 0o755);
  return {
    enabled: true,
    plugin: path,
    env: [`FAKE_CHANNEL=${JSON.stringify(options)}`],
    access: { policy: "open" },
  };
}

/** The example of the first README, whose channels are all somewhere else. */
const fiveModes = {
  "my-slack": {
    enabled: true,
    plugin: "./plugins/opentalon-slack",
    config: { app_token: "${SLACK_APP_TOKEN}", bot_token: "${SLACK_BOT_TOKEN}" },
  },
  "my-telegram": {
    enabled: true,
    plugin: "grpc://telegram-bot.internal:9001",
    config: { bot_token: "${TELEGRAM_BOT_TOKEN}" },
  },
  "my-teams": {
    enabled: true,
    plugin: "docker://ghcr.io/opentalon/plugin-teams:latest",
    config: { tenant_id: "${TEAMS_TENANT_ID}" },
  },
  "my-whatsapp": {
    enabled: true,
    plugin: "https://us-central1-proj.cloudfunctions.net/wa",
    config: { verify_token: "${WA_VERIFY_TOKEN}" },
  },
  "my-custom": {
    enabled: true,
    plugin: "wss://custom-bridge.example.com/channel",
    config: { api_key: "${CUSTOM_API_KEY}" },
  },
};

describe("channels that are programs", () => {
  it("one that is alone has the terminal, and its end is the end of the program", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const channels = { line: fakeChannel(scratch, { console: true, id: "console" }) };
    await using core = startCore({ configPath: scratch.writeConfig(models.url, { channels }) });
    await core.ready();
    core.write("good morning\n");
    await expect.poll(core.output, patient).toBe("fake> answer: good morning\n");
    core.end();
    expect(await core.exited).toBe(0);
  });

  it.each(["grpc", "json"])(
    "one dies with a program that is killed, and what it kept is answered by the next one, over %s",
    async (generation) => {
      using scratch = createScratch();
      await using models = await createModelServer();
      await using chat = await createFakeChat();
      const channels = {
        one: fakeChannel(scratch, { generation, chat: chat.path }),
        console: { enabled: true, plugin: "console" },
      };
      const configPath = scratch.writeConfig(models.url, { channels });
      await using first = startCore({ configPath });
      await first.ready();
      await chat.say("before", { metadata: { message_id: "1" } });
      const answers = (): readonly string[] => chat.sent.map(({ content }) => content);
      await expect.poll(answers, patient).toEqual(["answer: before"]);
      expect(chat.sent[0]?.metadata["in_reply_to"]).toBe("1");
      first.signal("SIGKILL");
      await first.exited;
      const [pid = 0] = chat.pids;
      await expect.poll(() => isRunning(pid), patient).toBe(false);

      await using second = startCore({ configPath });
      await second.ready();
      // What the platform brings again is not answered again.
      await chat.say("before", { metadata: { message_id: "1" } });
      await chat.say("after", { metadata: { message_id: "2" } });
      await expect.poll(answers, patient).toEqual(["answer: before", "answer: after"]);
      second.signal("SIGTERM");
      expect(await second.exited).toBe(0);
      expect(isRunning(chat.pids.at(-1) ?? 0)).toBe(false);
      const notes = join(scratch.stateFolder, "channel-processes/plugin-folders");
      expect(readdirSync(notes)).toEqual([]);
    },
  );

  it("five of all modes that cannot be reached say what is missing, while the console works", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const channels = { console: { enabled: true, plugin: "console" }, ...fiveModes };
    const configPath = scratch.writeConfig(models.url, {
      channels,
      server: { enabled: true, addr: "127.0.0.1:0" },
    });
    const tokens = ["SLACK_APP", "SLACK_BOT", "TELEGRAM_BOT", "WA_VERIFY"];
    await using core = startCore({
      configPath,
      environment: {
        ...Object.fromEntries(tokens.map((name) => [`${name}_TOKEN`, "sesame-open"])),
        TEAMS_TENANT_ID: "tenant",
        CUSTOM_API_KEY: "sesame-open",
        DOCKER_HOST: `unix://${scratch.folder}/no-docker.sock`,
      },
    });
    const door = await core.door();
    const response = await fetch(`http://${door}/readyz`);
    expect(response.status).toBe(503);
    const unready = await response.text();
    expect(unready).toMatch(
      /channel my-slack: .*there is no program \S*\/plugins\/opentalon-slack/,
    );
    expect(unready).toMatch(/channel my-telegram: .*telegram-bot\.internal/);
    expect(unready).toMatch(/channel my-teams: the container engine at DOCKER_HOST does not run/);
    expect(unready).toMatch(/channel my-custom: /);
    expect(unready).not.toContain("my-whatsapp");
    expect(unready).not.toContain("sesame-open");
    core.write("hello\n");
    await expect.poll(core.output, patient).toContain("answer: hello");
    core.signal("SIGTERM");
    expect(await core.exited).toBe(0);
  });
});
