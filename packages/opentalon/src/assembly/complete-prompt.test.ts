import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { parseConfig } from "../config/load-config.ts";
import { createModelServer } from "../providers/testing/model-server.ts";
import { completePrompt } from "./complete-prompt.ts";

async function createServer() {
  const server = await createModelServer();
  onTestFinished(() => server[Symbol.asyncDispose]());
  const provider = {
    base_url: server.url,
    api_key: "sk-complete-0123456789",
    models: [
      { id: "small", cost: { input: 1, output: 2 } },
      { id: "big", cost: { input: 10, output: 20 } },
    ],
    retry: { max_attempts: 2, base_delay: "1ms" },
  };
  const catalog = { "p/small": { weight: 90 }, "p/big": { weight: 10, alias: "large" } };
  const text = JSON.stringify({ models: { providers: { p: provider }, catalog } });
  const { config } = parseConfig({ text, path: "config.yaml", environment: {} });
  const complete = async (model?: string) => {
    let shown = "";
    const completion = await completePrompt({
      config,
      environment: {},
      prompt: "hello",
      system: "be brief",
      model,
      signal: new AbortController().signal,
      onText: (delta) => (shown += delta),
      onReset: () => (shown = ""),
      clock: systemClock,
      log: createSilentLog(),
    });
    return { ...completion, shown };
  };
  return { server, complete };
}

it("an answer comes from the model with the largest weight, with the prompt and nothing else", async () => {
  const { server, complete } = await createServer();
  const { reply, shown, reason, cost } = await complete();
  expect(reply).toMatchObject({ text: "answer: hello", model: "p/small" });
  expect(shown).toBe("answer: hello");
  expect(reason).toContain("weight");
  expect(cost).toBeGreaterThan(0);
  const [request] = server.requests;
  expect(request?.body.messages).toEqual([
    { role: "system", content: "be brief" },
    { role: "user", content: "hello" },
  ]);
  expect(request?.body.tools ?? []).toEqual([]);
});

it("a name, an id and an alias choose the model; an unknown one is an error that lists the others", async () => {
  const { complete } = await createServer();
  for (const name of ["p/big", "big", "large"])
    expect((await complete(name)).reply.model).toBe("p/big");
  await expect(complete("nope")).rejects.toThrow(/no model "nope"[^]*p\/small[^]*p\/big/);
});

it("the next model steps in when one fails, and text of a broken stream is not kept", async () => {
  const { server, complete } = await createServer();
  server.setScript(({ body }) =>
    body.model === "small"
      ? { kind: "reset", at: "mid-stream", text: "half of" }
      : { kind: "message", text: "all of it" },
  );
  const { reply, shown } = await complete();
  expect(reply).toMatchObject({ text: "all of it", model: "p/big" });
  expect(shown).toBe("all of it");
});

it("when every model fails the error says so", async () => {
  const { server, complete } = await createServer();
  server.setScript({ kind: "error", status: 401, body: { error: { message: "no" } } });
  await expect(complete()).rejects.toMatchObject({ code: "PROVIDER_UNAUTHORIZED" });
});
