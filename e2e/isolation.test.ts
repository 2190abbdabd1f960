import { describe, expect, it } from "vitest";
import {
  createModelServer,
  type ModelServer,
  type ScriptedReply,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { isRunning, peakResidentBytes, readPluginPids } from "./support/processes.ts";
import { createScratch, fakePlugin, testKey } from "./support/scratch.ts";

const patient = { timeout: 30_000 };
const mebibyte = 1_048_576;

const call = (name: string): ScriptedReply => ({
  kind: "message",
  toolCalls: [{ name, arguments: { text: "hi" } }],
});
const say = (text: string): ScriptedReply => ({ kind: "message", text });

/** Results the model was told, in order. */
const toolResults = ({ requests }: ModelServer): readonly string[] =>
  requests.flatMap(({ body }) => {
    const last = body.messages?.at(-1);
    return last?.role === "tool" ? [last.content ?? ""] : [];
  });

const envelope = /^\[plugin_output ([0-9a-f]{16})\]\n([^]*)\n\[\/plugin_output \1\]$/;

describe("a plugin", () => {
  it("sees none of the host's variables but a few harmless ones and what its entry gives it", async () => {
    using scratch = createScratch();
    await using models = await createModelServer([call("fake__environment"), say("ok")]);
    const planted = {
      OPENAI_API_KEY: "planted-model-key",
      DATABASE_URL: "postgres://me:planted-password@127.0.0.1/db",
      AWS_SECRET_ACCESS_KEY: "planted-cloud-key",
      GITHUB_TOKEN: "planted-token",
      SSH_AUTH_SOCK: "/planted/agent",
      NODE_OPTIONS: "--no-deprecation",
      LD_LIBRARY_PATH: "/planted/libraries",
      http_proxy: "http://planted-proxy.invalid",
      MEANT_FOR_PLUGIN: "colour-of-plugin",
      LANG: "C.UTF-8",
      TZ: "Europe/Berlin",
    };
    const configPath = scratch.writeConfig(models.url, {
      plugins: { fake: { ...fakePlugin(), env: ["COLOUR=${MEANT_FOR_PLUGIN}", "PLAIN=text"] } },
    });
    await using core = startCore({ configPath, environment: planted });
    core.write("show me\n");
    core.end();
    expect(await core.exited).toBe(0);
    const [result = ""] = toolResults(models);
    const seen = JSON.parse(envelope.exec(result)?.[2] ?? "{}") as Record<string, string>;
    const allowed = new Set([
      "HOME",
      "LANG",
      "TZ",
      "PATH",
      "TMPDIR",
      "OPENTALON_DATABASE",
      "COLOUR",
      "PLAIN",
    ]);
    const others = Object.keys(seen).filter(
      (name) => !allowed.has(name) && !/^LC_[A-Z]+$/.test(name),
    );
    expect(others).toEqual([]);
    expect(seen).toMatchObject({
      COLOUR: "colour-of-plugin",
      PLAIN: "text",
      LANG: "C.UTF-8",
      TZ: "Europe/Berlin",
    });
    expect(result).not.toMatch(/planted/);
    expect(result).not.toContain(testKey);
  });

  it.each(["stdout", "stderr"] as const)(
    "that floods %s does not disturb a turn",
    async (flood) => {
      using scratch = createScratch();
      await using models = await createModelServer([call("fake__structured"), say("all quiet")]);
      const configPath = scratch.writeConfig(models.url, {
        plugins: { fake: fakePlugin({ flood }) },
      });
      await using core = startCore({ configPath });
      core.write("go\n");
      await expect.poll(core.output, patient).toBe("all quiet\n");
      const peakBytes = peakResidentBytes(core.pid);
      core.end();
      expect(await core.exited).toBe(0);
      expect(toolResults(models)[0]).toContain('{"a":1}');
      expect(peakBytes).toBeLessThan(400 * mebibyte);
      // What it wrote is noted within bounds, not copied.
      expect(core.log.length).toBeLessThan(5_000);
    },
  );

  it.each(["huge", "bomb"])(
    "that answers with a gigabyte (%s) gets an error, and memory stays bounded",
    async (action) => {
      using scratch = createScratch();
      await using models = await createModelServer([
        call(`fake__${action}`),
        call("fake__structured"),
        say("survived"),
      ]);
      const configPath = scratch.writeConfig(models.url, { plugins: { fake: fakePlugin() } });
      await using core = startCore({ configPath });
      core.write("go\n");
      await expect.poll(core.output, patient).toBe("survived\n");
      expect(peakResidentBytes(core.pid)).toBeLessThan(400 * mebibyte);
      core.end();
      expect(await core.exited).toBe(0);
      const [refused, next] = toolResults(models);
      expect(refused).toMatch(/error: .*fake/);
      expect((refused ?? "").length).toBeLessThan(2_000);
      expect(next).toContain('{"a":1}');
    },
  );

  it.each(["grpc", "json"] as const)(
    "whose answer is no UTF-8 gives a text or an error, and goes on working (%s)",
    async (generation) => {
      using scratch = createScratch();
      await using models = await createModelServer([
        call("fake__invalid-utf8"),
        call("fake__structured"),
        say("fine"),
      ]);
      const configPath = scratch.writeConfig(models.url, {
        plugins: { fake: fakePlugin({ generation }) },
      });
      await using core = startCore({ configPath });
      core.write("go\n");
      core.end();
      expect(await core.exited).toBe(0);
      expect(core.output()).toBe("fine\n");
      const [result = "", next] = toolResults(models);
      expect(result).toMatch(/\uFFFD|error/);
      expect(next).toContain('{"a":1}');
    },
  );
});

describe("of two plugins", () => {
  it("one that never says where it listens does not keep the other from working", async () => {
    using scratch = createScratch();
    const journal = `${scratch.folder}/journal`;
    await using models = await createModelServer([call("good__structured"), say("it works")]);
    const configPath = scratch.writeConfig(models.url, {
      plugins: {
        silent: fakePlugin({ start: "hang", journal }),
        good: fakePlugin({ name: "good" }),
      },
    });
    await using core = startCore({ configPath });
    core.write("go\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe("it works\n");
    expect(toolResults(models)[0]).toContain('{"a":1}');
    const warning = core.log.find(
      ({ level, msg }) => level === 40 && msg.includes("still starting"),
    );
    expect(warning?.["unready"]).toEqual(["plugin silent"]);
    await expect.poll(() => readPluginPids(journal).filter(isRunning), patient).toEqual([]);
  });

  it("one may crash at every start and another in every call, while a third keeps answering", async () => {
    using scratch = createScratch();
    const rounds = ["bad__crash", "good__structured", "bad__crash", "good__structured"];
    await using models = await createModelServer([...rounds.map(call), say("still here")]);
    const configPath = scratch.writeConfig(models.url, {
      plugins: {
        hopeless: fakePlugin({ name: "hopeless", start: "crash" }),
        // Few enough actions for a model to be offered all of them.
        bad: fakePlugin({ name: "bad", actions: ["crash"] }),
        good: fakePlugin({ name: "good", actions: ["structured"] }),
      },
    });
    await using core = startCore({ configPath });
    core.write("go\n");
    await expect.poll(core.output, patient).toBe("still here\n");
    // It was tried again, and will be, ever more rarely.
    const failures = (): number =>
      core.log.filter(
        (line) => line["plugin"] === "hopeless" && line.msg === "Plugin did not start",
      ).length;
    await expect.poll(failures, patient).toBeGreaterThan(1);
    core.end();
    expect(await core.exited).toBe(0);
    const results = toolResults(models);
    expect(results).toHaveLength(4);
    for (const index of [0, 2]) expect(results[index]).toMatch(/error: .*bad/);
    for (const index of [1, 3]) expect(results[index]).toContain('{"a":1}');
  });
});
