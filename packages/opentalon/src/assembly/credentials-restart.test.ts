import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { toMessage } from "../base/errors.ts";
import { parseConfig } from "../config/load-config.ts";
import { createRequest } from "../providers/model-adapter.contract.ts";
import { createModelServer } from "../providers/testing/model-server.ts";
import { defaultStoreLimits } from "../store/ports.ts";
import { createSqliteStore } from "../store/sqlite-store.ts";
import { assembleModels } from "./assemble-models.ts";

test("a restart keeps what was refused, and a key with a new value is used again", async () => {
  const clock = createManualClock();
  const log = createSilentLog();
  const dataDirectory = await mkdtemp(join(tmpdir(), "opentalon-credentials-"));
  onTestFinished(() => rm(dataDirectory, { recursive: true }));
  const server = await createModelServer(({ headers }) => {
    const key = headers.authorization ?? "";
    if (key.includes("wrong")) return { kind: "error", status: 401 };
    return key.includes("busy") ? { kind: "error", status: 429 } : { kind: "answer" };
  });
  onTestFinished(() => server[Symbol.asyncDispose]());

  /** One life of the program, in which one question is asked. */
  const live = async (environment: Readonly<Record<string, string>>): Promise<string> => {
    const store = await createSqliteStore({
      clock,
      limits: defaultStoreLimits,
      dataDirectory,
      onBroken: () => undefined,
    });
    await using resources = new AsyncDisposableStack();
    resources.use(store);
    const provider = { api_key: "${KEY}", base_url: server.url, models: ["small"] };
    const text = JSON.stringify({ models: { providers: { p: provider } } });
    const { config } = parseConfig({ text, path: "config.yaml", environment });
    const models = resources.use(assembleModels({ config, keyValue: store.keyValue, clock, log }));
    const asked = models.callModel({
      models: models.router.rank({ pinnedModel: "" }).models,
      request: createRequest(),
      signal: new AbortController().signal,
      onText: () => undefined,
      onReset: () => undefined,
      onModel: () => undefined,
    });
    // Within the life of the store.
    return await asked.then(({ text: answer }) => answer, toMessage);
  };

  const keys = { KEY: "sk-wrong-0123456789", KEY_1: "sk-busy-0123456789" };
  expect(await live(keys)).toContain("It makes sense to try again in");
  expect(server.requests).toHaveLength(2);
  expect(await live(keys)).toContain("every credential rests (rate-limited)");
  expect(server.requests).toHaveLength(2);
  expect(await live({ ...keys, KEY: "sk-right-0123456789" })).toContain("answer");
  expect(server.requests).toHaveLength(3);
  clock.advance(60_000);
  await live(keys);
  expect(server.requests.at(-1)?.headers.authorization).toContain("busy");
  expect(server.requests).toHaveLength(4);
});
