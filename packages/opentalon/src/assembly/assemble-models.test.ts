import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { parseConfig } from "../config/load-config.ts";
import { createRequest } from "../providers/model-adapter.contract.ts";
import { createModelServer } from "../providers/testing/model-server.ts";
import { assembleModels } from "./assemble-models.ts";

test("no two calls of a model without native tools share an identifier", async () => {
  const server = await createModelServer();
  onTestFinished(() => server[Symbol.asyncDispose]());
  const reply = '[tool_call]{"tool":"a__b","args":{}}[/tool_call]'.repeat(2);
  server.setScript({ kind: "message", text: [reply] });
  const provider = {
    api_key: "sk-assembly-0123456789",
    base_url: server.url,
    models: [{ id: "small", features: ["text"] }],
  };
  const text = JSON.stringify({ models: { providers: { p: provider } } });
  const { config } = parseConfig({ text, path: "config.yaml", environment: {} });
  const models = assembleModels({ config, clock: systemClock, log: createSilentLog() });
  onTestFinished(() => models[Symbol.asyncDispose]());
  const ask = async (): Promise<readonly string[]> => {
    const { toolCalls } = await models.callModel({
      models: models.router.rank({ pinnedModel: "" }).models,
      request: createRequest(),
      signal: new AbortController().signal,
      onText: () => {},
      onReset: () => {},
      onModel: () => {},
    });
    return toolCalls.map(({ id }) => id);
  };
  const identifiers = [...(await ask()), ...(await ask())];
  expect(identifiers).toHaveLength(4);
  expect(new Set(identifiers).size).toBe(4);
});
