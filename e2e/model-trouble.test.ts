import { describe, expect, it } from "vitest";
import { startCore } from "./support/core-process.ts";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { createScratch, testKey, toLocalProvider } from "./support/scratch.ts";

describe("a model in trouble", () => {
  it("that stalls is given up, and the person gets words with a reference that is in the log", async () => {
    using scratch = createScratch();
    await using models = await createModelServer({ kind: "stall", at: "first-token" });
    const configPath = scratch.writeConfig(models.url, { agent: { first_token_timeout: "200ms" } });
    await using core = startCore({ configPath });
    core.write("hello?\n");
    core.end();
    expect(await core.exited).toBe(0);
    const reference = /took too long.*\(reference (\w+)\)/.exec(core.output())?.[1];
    expect(reference).toBeDefined();
    expect(core.log.find((line) => line["reference"] === reference)?.level).toBe(50);
  });

  it("that breaks off in the middle is asked again; the two texts are never joined", async () => {
    using scratch = createScratch();
    await using models = await createModelServer([
      { kind: "reset", at: "mid-stream", text: "The answer is fort" },
      { kind: "message", text: "The answer is 42." },
    ]);
    await using core = startCore({ configPath: scratch.writeConfig(models.url) });
    core.write("what?\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toMatch(/The answer is 42\.\n$/);
    expect(core.output()).not.toMatch(/fort ?The/);
  });

  it("that finds the conversation too long is asked again with less of it", async () => {
    using scratch = createScratch();
    const tooLong = { error: { message: "too long", code: "context_length_exceeded" } };
    await using models = await createModelServer(({ body: { messages = [] } }) =>
      messages.length > 4 ? { kind: "error", status: 400, body: tooLong } : { kind: "answer" },
    );
    await using core = startCore({ configPath: scratch.writeConfig(models.url) });
    for (const words of ["one", "two", "three"]) core.write(`${words}\n`);
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe("answer: one\nanswer: two\nanswer: three\n");
    const asked = models.requests.map(({ body }) => body.messages?.map(({ content }) => content));
    expect(asked.slice(-2).map((contents) => contents?.slice(1))).toEqual([
      ["one", "answer: one", "two", "answer: two", "three"],
      ["two", "answer: two", "three"],
    ]);
  });

  it("is not asked first again while it is out of order", async () => {
    using scratch = createScratch();
    await using down = await createModelServer({ kind: "error", status: 503 });
    await using up = await createModelServer();
    const configPath = scratch.writeConfig(down.url, {
      models: { providers: { local: toLocalProvider(down.url), other: toLocalProvider(up.url) } },
      routing: { primary: "local/test-model", fallbacks: ["other/test-model"] },
    });
    await using core = startCore({ configPath });
    for (const words of ["one", "two", "three"]) core.write(`${words}\n`);
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe("answer: one\nanswer: two\nanswer: three\n");
    expect(down.requests).toHaveLength(1);
  });

  it("gives way to the next one of the chain", async () => {
    using scratch = createScratch();
    await using down = await createModelServer({ kind: "error", status: 503 });
    await using up = await createModelServer({ kind: "message", text: "I am here." });
    const configPath = scratch.writeConfig(down.url, {
      models: { providers: { local: toLocalProvider(down.url), other: toLocalProvider(up.url) } },
      routing: { primary: "local/test-model", fallbacks: ["other/test-model"] },
    });
    await using core = startCore({ configPath });
    core.write("anyone?\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe("I am here.\n");
  });

  it("that refuses the key is explained without showing the key anywhere", async () => {
    using scratch = createScratch();
    await using models = await createModelServer({
      kind: "error",
      status: 401,
      body: { error: { message: `Incorrect API key provided: ${testKey}` } },
    });
    await using core = startCore({ configPath: scratch.writeConfig(models.url) });
    core.write("hi\n/show config\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(models.requests[0]?.headers.authorization).toBe(`Bearer ${testKey}`);
    expect(core.output()).toMatch(/check the API key/);
    expect(core.output()).toMatch(/api_key: .*\[secret\]/);
    expect(core.output() + core.otherErrors() + JSON.stringify(core.log)).not.toContain(testKey);
  });
});
