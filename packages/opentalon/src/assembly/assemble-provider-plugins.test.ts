import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { parseConfig } from "../config/load-config.ts";
import type { ModelReply } from "../domain/model.ts";
import type { FakeProviderOptions } from "../plugins/testing/fake-provider-options.ts";
import { toFakeProviderCommand } from "../plugins/testing/fake-provider-options.ts";
import { createRequest } from "../providers/model-adapter.contract.ts";
import { createModelServer } from "../providers/testing/model-server.ts";
import { assembleModels, type Models } from "./assemble-models.ts";

const secret = "host-secret-0123456789";

interface Assembled {
  readonly models: Models;
  readonly ask: (content: string, names?: readonly string[]) => Promise<Asked>;
  /** Lines the fake noted. */
  readonly journal: () => readonly Readonly<Record<string, unknown>>[];
}

interface Asked {
  readonly reply: ModelReply;
  /** Pieces of text, and `null` for each time what came before is void. */
  readonly shown: readonly (string | null)[];
}

/** A provider `own` that is a fake plugin, and what else the configuration says. */
async function assemble(
  fake: FakeProviderOptions = {},
  own: Readonly<Record<string, unknown>> = {},
  others: Readonly<Record<string, unknown>> = {},
): Promise<Assembled> {
  const folder = mkdtempSync(join(tmpdir(), "opentalon-test-"));
  const journal = join(folder, "journal");
  const plugin = toFakeProviderCommand({ journal, ...fake });
  const providers = { own: { plugin, dial_timeout: "15s", ...own }, ...others };
  const text = JSON.stringify({ models: { providers }, state: { data_dir: folder } });
  const environment = { PATH: process.env["PATH"], SECRET_OF_THE_HOST: secret };
  const { config } = parseConfig({ text, path: join(folder, "config.yaml"), environment });
  const log = createSilentLog();
  const models = assembleModels({ config, environment, clock: systemClock, log });
  onTestFinished(async () => {
    await models[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
  await models.settled;
  return {
    models,
    ask: async (content, names) => {
      const shown: (string | null)[] = [];
      const reply = await models.callModel({
        models:
          names?.flatMap((name) => models.router.resolve(name) ?? []) ?? models.router.models(),
        request: createRequest({ messages: [{ role: "user", content }] }),
        signal: new AbortController().signal,
        onText: (delta) => void shown.push(delta),
        onReset: () => void shown.push(null),
        onModel: () => undefined,
      });
      return { reply, shown };
    },
    journal: () =>
      readFileSync(journal, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>),
  };
}

const reported = {
  id: "big",
  contextWindow: 32_000,
  maxTokens: 4_000,
  inputCost: 2,
  outputCost: 6,
  cachedInputCost: 0.5,
  input: ["image", "smell"],
  features: ["text"],
};

test("a plugin is asked for its models when the configuration lists none", async () => {
  const models = [reported, { id: "small" }, { id: "two words" }, { id: "" }, { id: "x\n" }];
  const { models: known } = await assemble({ models });
  expect(known.router.models()).toEqual([
    {
      name: "own/big",
      provider: "own",
      id: "big",
      nativeTools: false,
      contextWindow: 32_000,
      maxTokens: 4_000,
      input: ["text", "image"],
      cost: { input: 2, output: 6, cachedInput: 0.5, cacheWrite: undefined },
      reasoningEffort: undefined,
    },
    expect.objectContaining({ name: "own/small", nativeTools: true, contextWindow: 0 }),
  ]);
});

test("the configuration says which models are used, and wins over what the plugin tells of them", async () => {
  const listed = [{ id: "big", max_tokens: 100, cost: { input: 1 }, features: ["tools"] }];
  const { models, journal } = await assemble({ models: [reported] }, { models: listed });
  const [model] = models.router.models();
  expect(models.router.models()).toHaveLength(1);
  expect(model).toMatchObject({ name: "own/big", maxTokens: 100, nativeTools: true });
  const contextWindow = (): number | undefined => models.router.models()[0]?.contextWindow;
  await expect.poll(contextWindow, { timeout: 15_000 }).toBe(32_000);
  expect(models.router.models()[0]).toMatchObject({
    maxTokens: 100,
    nativeTools: true,
    cost: { input: 1, output: 6, cachedInput: undefined },
  });
  expect(journal().some(({ event }) => event === "listed")).toBe(true);
});

test("a plugin gets its settings, and of the host's environment only what is listed", async () => {
  const { ask } = await assemble({}, { env: ["REGION=eu"], config: { room: 4 } });
  expect((await ask("config")).reply.text).toBe('{"room":4}');
  const environment = (await ask("environment")).reply.text;
  expect(JSON.parse(environment)).toMatchObject({ REGION: "eu" });
  expect(environment).not.toContain(secret);
});

test("credentials travel with each request and take turns", async () => {
  const keys = ["first-credential", "second-credential"];
  const retry = { max_attempts: 1 };
  const { ask, journal } = await assemble({}, { api_keys: keys, retry });
  await expect(ask("fail:UNAUTHORIZED")).rejects.toMatchObject({ reason: "unauthorized" });
  const requests = journal().filter(({ event }) => event === "call");
  expect(requests.map(({ request }) => (request as { credential?: string }).credential)).toEqual(
    keys,
  );
  expect(journal()).toContainEqual({ event: "listed", credential: keys[0] });
});

test("a plugin that dies inside an answer is taken over for, and its text is void", async () => {
  const server = await createModelServer({ kind: "message", text: "A whole answer." });
  onTestFinished(() => server[Symbol.asyncDispose]());
  const other = { base_url: server.url, models: [{ id: "test-model" }] };
  const { ask } = await assemble({}, {}, { other });
  const { reply, shown } = await ask("crash", ["own/parrot", "other/test-model"]);
  expect(reply).toMatchObject({ model: "other/test-model", text: "A whole answer." });
  const reset = shown.indexOf(null);
  expect(shown.slice(0, reset).join("")).toBe("Half an answer");
  expect(shown.slice(reset + 1).join("")).toBe("A whole answer.");
  expect((await ask("hello", ["own/parrot"])).reply).toMatchObject({
    model: "own/parrot",
    text: "You said: hello",
    usage: { inputTokens: 11, outputTokens: 7, cachedInputTokens: 5, reasoningTokens: 2 },
  });
});

test("a model of a plugin that failed comes after those that did not", async () => {
  const models = [{ id: "first" }, { id: "second" }];
  const { ask } = await assemble({ models }, { retry: { max_attempts: 1 } });
  expect((await ask("hello")).reply.model).toBe("own/first");
  await expect(ask("fail:TIMED_OUT", ["own/first"])).rejects.toMatchObject({ reason: "timed-out" });
  expect((await ask("hello")).reply.model).toBe("own/second");
});

test("a plugin that does not start holds nobody up for whom another model answers", async () => {
  const server = await createModelServer({ kind: "message", text: "Here." });
  onTestFinished(() => server[Symbol.asyncDispose]());
  const other = { base_url: server.url, models: [{ id: "test-model" }] };
  const { ask, models } = await assemble({ init: "refuse" }, {}, { other });
  expect(models.findUnready()).toEqual([]);
  const { reply } = await ask("hello", ["own", "other/test-model"]);
  expect(reply.model).toBe("other/test-model");
});

test("without anything else to ask, a plugin that does not start is reported as not ready", async () => {
  const { models } = await assemble({ init: "refuse" });
  expect(models.findUnready()).toEqual([
    expect.stringMatching(/^provider own: .*`model` is missing/) as string,
  ]);
});
