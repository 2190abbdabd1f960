import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startCore } from "./support/core-process.ts";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { createScratch, root } from "./support/scratch.ts";

const helloWorld = {
  orchestrator: {
    rules: ["Be brief."],
    content_preparers: [{ plugin: "hello-world", action: "prepare", arg_key: "text" }],
  },
  plugins: {
    "hello-world": {
      enabled: true,
      plugin: join(root, "plugins/hello-world/hello-world-plugin"),
      env: ["HELLO_WORLD_PROMPT_FRAGMENT=Who wrote it first?"],
    },
  },
};

describe("the first minute: console, hello-world plugin, model", () => {
  it("sends hello through the plugin to the model and prints the answer", async () => {
    using scratch = createScratch();
    await using models = await createModelServer({ kind: "message", text: "Brian Kernighan did." });
    await using core = startCore({ configPath: scratch.writeConfig(models.url, helloWorld) });
    core.write("  Hello\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe("Brian Kernighan did.\n");
    expect(models.requests).toHaveLength(1);
    const { messages, tools } = models.requests[0]?.body ?? {};
    expect(messages?.at(-1)).toEqual({
      role: "user",
      content: "Hello world\n\nWho wrote it first?",
    });
    expect(messages?.[0]?.role).toBe("system");
    expect(messages?.[0]?.content).toContain("Be brief.");
    expect(tools ?? []).toEqual([]);
  });

  it("answers anything else with the guard's message, without a model call", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    await using core = startCore({ configPath: scratch.writeConfig(models.url, helloWorld) });
    core.write("what is the time?\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toMatch(/hello/i);
    expect(models.requests).toHaveLength(0);
  });

  it("remembers the conversation over a restart, until it is cleared", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const configPath = scratch.writeConfig(models.url);
    for (const input of ["first\n", "second\n", "/clear\nthird\n"]) {
      await using core = startCore({ configPath });
      core.write(input);
      core.end();
      expect(await core.exited).toBe(0);
    }
    const said = models.requests.map(({ body }) =>
      body.messages?.slice(1).map(({ content }) => content),
    );
    expect(said).toEqual([["first"], ["first", "answer: first", "second"], ["third"]]);
  });
});
