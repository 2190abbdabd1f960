import { afterEach, describe, expect, it } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import type { Clock, ManualClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { ProviderError } from "../../base/errors.ts";
import { createSecret } from "../../base/secret.ts";
import type { Model } from "../../domain/model.ts";
import { createModelCaller } from "./call-model.ts";
import type { ModelCaller } from "./call-model.ts";
import { defaultCooldownOptions } from "../credentials/cooldown.ts";
import { createCredentialPools } from "../credentials/credential-pools.ts";
import type { Provider } from "../create-providers.ts";
import { createModel, createRequest } from "../model-adapter.contract.ts";
import { createOpenAiCompatibleAdapter } from "../chat-completions/openai-compatible-adapter.ts";
import { defaultRetryOptions } from "../provider-options.ts";
import { createModelServer } from "../testing/model-server.ts";
import type { ModelServer, RecordedRequest, Script } from "../testing/model-server.ts";
import { wireApis } from "../testing/wire-api.ts";
import type { WireApi } from "../testing/wire-api.ts";

const chatCompletions = { create: createOpenAiCompatibleAdapter, wire: undefined };

let resources = new AsyncDisposableStack();
afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

function modelOf({ name }: Provider): Model {
  return createModel({ name: `${name}/m`, provider: name, id: "m" });
}

/** Serves a provider; its adapter's deadlines pass only when `adapterClock` is moved. */
async function serve(
  name: string,
  script: Script,
  keys: readonly string[] = [],
  adapterClock: ManualClock = createManualClock(),
  { create, wire }: Pick<WireApi, "create" | "wire"> = chatCompletions,
): Promise<Provider & { server: ModelServer }> {
  const server = resources.use(await createModelServer(script, wire === undefined ? {} : { wire }));
  const adapter = resources.use(create({ baseUrl: server.url, clock: adapterClock }));
  const credentials = keys.map((key) => createSecret(key));
  return { name, adapter, credentials, retry: defaultRetryOptions, server };
}

/** A clock whose waits pass by themselves; nothing else moves it. */
function createPassingClock(): ManualClock {
  const manual = createManualClock();
  const sleep: Clock["sleep"] = (delayMs, signal) => {
    const slept = manual.sleep(delayMs, signal);
    manual.advance(delayMs);
    return slept;
  };
  return { ...manual, sleep };
}

function createCaller(providers: readonly Provider[], clock: Clock): ModelCaller {
  const log = createSilentLog();
  const cooldowns = defaultCooldownOptions;
  const pools = resources.use(
    createCredentialPools({ providers, order: {}, cooldowns, clock, log }),
  );
  return createModelCaller({ providers, pools, clock, log });
}

/** One turn's call; gives what a person saw at the end. */
async function ask(
  callModel: ModelCaller,
  providers: readonly Provider[],
  sessionKey: string,
  onText: () => void = () => undefined,
): Promise<{ model: string; shown: string; resets: number } | ProviderError> {
  let shown = "";
  let resets = 0;
  try {
    const reply = await callModel({
      models: providers.map(modelOf),
      request: createRequest({ sessionKey }),
      signal: new AbortController().signal,
      onText: (delta) => {
        shown += delta;
        onText();
      },
      onReset: () => {
        shown = "";
        resets += 1;
      },
      onModel: () => undefined,
    });
    expect(reply.text).toBe(shown);
    return { model: reply.model, shown, resets };
  } catch (error) {
    if (error instanceof ProviderError) return error;
    throw error;
  }
}

// Many calls over real connections: slow on a busy machine.
describe("a storm of 429", { timeout: 120_000 }, () => {
  const keys = ["one", "two", "three"].map((name) => `sk-storm-${name}-0123456789`);
  const keyOf = ({ headers }: RecordedRequest): string => headers.authorization ?? "";

  interface Storm {
    readonly providers: readonly Provider[];
    readonly clock: ManualClock;
    readonly calls: () => number;
    /** Calls with a key before the end of the wait it was told. */
    readonly callsTooEarly: () => number;
  }

  /** Refuses every call for which `isRefused` says so, and asks it to wait for `retryAfterSeconds`. */
  const raise = async (
    isRefused: (key: number, nowMs: number) => boolean,
    retryAfterSeconds: (key: number) => number,
  ): Promise<Storm> => {
    const clock = createPassingClock();
    let calls = 0;
    let callsTooEarly = 0;
    const restsUntilMs = new Map<number, number>();
    const scriptOf =
      (firstKey: number): Script =>
      (request) => {
        const key = firstKey + keys.findIndex((text) => keyOf(request).endsWith(text));
        calls += 1;
        if (clock.now() < (restsUntilMs.get(key) ?? 0)) callsTooEarly += 1;
        if (!isRefused(key, clock.now())) return { kind: "answer" };
        const seconds = retryAfterSeconds(key);
        restsUntilMs.set(key, clock.now() + seconds * 1_000);
        return { kind: "error", status: 429, headers: { "retry-after": String(seconds) } };
      };
    const providers = [await serve("a", scriptOf(0), keys), await serve("b", scriptOf(3), keys)];
    return { providers, clock, calls: () => calls, callsTooEarly: () => callsTooEarly };
  };

  it("leaves every turn answered while one of six keys is healthy, at hardly more than a call each", async () => {
    const startMs = createManualClock().now();
    // Another key is the healthy one every ten minutes.
    const toHealthy = (nowMs: number): number => Math.floor((nowMs - startMs) / 600_000) % 6;
    const storm = await raise(
      (key, nowMs) => key !== toHealthy(nowMs),
      (key) => 2 + key,
    );
    const { providers, clock, calls, callsTooEarly } = storm;
    const callModel = createCaller(providers, clock);
    let callsBefore = 0;
    const turns = 1_200;
    for (let turn = 0; turn < turns; turn += 1) {
      if (turn === 50) callsBefore = calls();
      const outcome = await ask(callModel, providers, `session ${turn % 20}`);
      expect(outcome).toMatchObject({ shown: "answer: how are you today", resets: 0 });
      clock.advance(3_000);
    }
    expect(callsTooEarly()).toBe(0);
    expect((calls() - callsBefore) / (turns - 50)).toBeLessThanOrEqual(1.3);
  });

  it("ends turns at once while no key is healthy, and answers again when one is", async () => {
    let isOver = false;
    const storm = await raise(
      () => !isOver,
      () => 90,
    );
    const { providers, clock, calls, callsTooEarly } = storm;
    const callModel = createCaller(providers, clock);
    for (let turn = 0; turn < 10; turn += 1) {
      const outcome = await ask(callModel, providers, `session ${turn}`);
      expect(outcome).toMatchObject({ reason: "rate-limited" });
      expect((outcome as ProviderError).message).toMatch(/try again in \d+ s/);
    }
    expect(calls()).toBe(6);
    isOver = true;
    clock.advance(90_000);
    expect(await ask(callModel, providers, "session 1")).toMatchObject({ model: "a/m" });
    expect(callsTooEarly()).toBe(0);
  });

  it("never calls a key too early when refusals are random", async () => {
    let state = 7;
    const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const storm = await raise(
      () => random() < 0.8,
      () => 1 + Math.floor(random() * 9),
    );
    const { providers, clock, callsTooEarly } = storm;
    const callModel = createCaller(providers, clock);
    for (let turn = 0; turn < 300; turn += 1) {
      await ask(callModel, providers, `session ${turn % 20}`);
      clock.advance(500);
    }
    expect(callsTooEarly()).toBe(0);
  });
});

describe.each(wireApis)("failing over from $name", (api) => {
  const { half, errorBody, errorEvent } = api;
  const serveApi = (name: string, script: Script, adapterClock?: ManualClock) =>
    serve(name, script, [], adapterClock, api);

  const failures: readonly [string, Script, ProviderError["reason"], number][] = [
    ["401", { kind: "error", status: 401 }, "unauthorized", 0],
    ["403", { kind: "error", status: 403 }, "unauthorized", 0],
    ["429", { kind: "error", status: 429 }, "rate-limited", 0],
    ["500", { kind: "error", status: 500 }, "overloaded", 0],
    ["502", { kind: "error", status: 502, body: "<html>bad gateway" }, "overloaded", 0],
    ["503", { kind: "error", status: 503 }, "overloaded", 0],
    ["504", { kind: "error", status: 504, body: "" }, "overloaded", 0],
    ["529", { kind: "error", status: 529 }, "overloaded", 0],
    ["a reset before the answer", { kind: "reset", at: "headers" }, "unreachable", 0],
    ["a reset before the text", { kind: "reset", at: "first-token" }, "broken-stream", 0],
    ["a reset in the text", { kind: "reset", at: "mid-stream" }, "broken-stream", 1],
    [
      "a malformed event",
      { kind: "raw", parts: [half, "data: {not json\n\n"] },
      "broken-stream",
      1,
    ],
    ["an end in the text", { kind: "raw", parts: [half] }, "broken-stream", 1],
    [
      "200 with an error as its body",
      { kind: "raw", contentType: "application/json", parts: [JSON.stringify(errorBody)] },
      "overloaded",
      0,
    ],
    ["an error inside the stream", { kind: "raw", parts: [half, errorEvent] }, "overloaded", 1],
  ];

  it.each(failures)(
    "after %s goes over within 250 ms, with one text",
    async (_name, script, _reason, resets) => {
      const clock = createPassingClock();
      const startedAtMs = clock.now();
      const first = await serveApi("first", script);
      const second = await serve("second", { kind: "message", text: ["the ", "whole"] });
      const providers = [first, second];
      const outcome = await ask(createCaller(providers, clock), providers, "s");
      expect(outcome).toEqual({ model: "second/m", shown: "the whole", resets });
      expect(first.server.requests).toHaveLength(1);
      expect(clock.now() - startedAtMs).toBeLessThanOrEqual(250);
    },
  );

  it.each(failures)("tells %s apart: it is classified once, as it should be", async (...row) => {
    const [, script, reason] = row;
    const first = await serveApi("first", script);
    const providers = [{ ...first, retry: { ...defaultRetryOptions, maxAttempts: 1 } }];
    const callModel = createCaller(providers, createPassingClock());
    expect(await ask(callModel, providers, "s")).toMatchObject({ reason });
    expect(first.server.requests).toHaveLength(1);
  });

  it.each([
    ["before the answer", "headers", 0],
    ["before the text", "first-token", 0],
    ["in the text", "mid-stream", 1],
  ] as const)("goes over when the connection is half open %s", async (_name, at, resets) => {
    const adapterClock = createManualClock();
    const clock = createPassingClock();
    const startedAtMs = clock.now();
    const first = await serveApi("first", { kind: "stall", at }, adapterClock);
    const second = await serve("second", { kind: "message", text: ["whole"] });
    const providers = [first, second];
    let pieces = 0;
    const asked = ask(createCaller(providers, clock), providers, "s", () => (pieces += 1));
    await expect.poll(() => first.server.requests.length, { timeout: 15_000 }).toBe(1);
    // All text has to arrive before the silence begins.
    if (at === "mid-stream") await expect.poll(() => pieces, { timeout: 15_000 }).toBe(3);
    adapterClock.advance(60_000);
    expect(await asked).toEqual({ model: "second/m", shown: "whole", resets });
    expect(clock.now() - startedAtMs).toBeLessThanOrEqual(250);
  });
});

describe("failing over", () => {
  it("walks twelve broken models within 250 ms of its own", async () => {
    const clock = createPassingClock();
    const startedAtMs = clock.now();
    const names = Array.from({ length: 12 }, (_, index) => `broken${index}`);
    const broken = await Promise.all(
      names.map((name) => serve(name, { kind: "error", status: 503 })),
    );
    const providers = [...broken, await serve("whole", { kind: "answer" })];
    expect(await ask(createCaller(providers, clock), providers, "s")).toMatchObject({
      model: "whole/m",
    });
    expect(clock.now() - startedAtMs).toBeLessThanOrEqual(250);
  });
});
