import { afterEach, describe, expect, it, vi } from "vitest";
import { createModelServer } from "../testing/model-server.ts";
import type { ModelServer, Script, ScriptedReply } from "../testing/model-server.ts";
import { createManualClock } from "../../base/clock.ts";
import type { Clock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { ProviderError } from "../../base/errors.ts";
import { createSecret } from "../../base/secret.ts";
import type { Model, ModelReply } from "../../domain/model.ts";
import type { LengthRefusal, RequestFitter } from "../../domain/request-fitter.ts";
import { createModelCaller } from "./call-model.ts";
import type { ModelCallerOptions } from "./call-model.ts";
import { defaultCooldownOptions } from "../credentials/cooldown.ts";
import { createCredentialPools } from "../credentials/credential-pools.ts";
import { createProviders } from "../create-providers.ts";
import { createHealthGate } from "./health-gate.ts";
import type { Provider } from "../create-providers.ts";
import { createModel, createRequest } from "../model-adapter.contract.ts";
import type { ModelAdapter } from "../model-adapter.ts";
import { createOpenAiCompatibleAdapter } from "../chat-completions/openai-compatible-adapter.ts";
import { defaultRetryOptions } from "../provider-options.ts";

let resources = new AsyncDisposableStack();
afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

interface Setup {
  /** Waits between attempts, in milliseconds; they pass by themselves. */
  readonly waits: number[];
  /** What was told, in order: `text:…`, `reset`, `model:…`. */
  readonly told: string[];
  readonly abort: AbortController;
  readonly run: (models?: readonly Model[]) => Promise<ModelReply>;
  readonly runInVain: (models?: readonly Model[]) => Promise<ProviderError>;
}

const setUp = (
  providers: readonly Provider[],
  timePasses = true,
  extras: Pick<ModelCallerOptions, "fitter" | "health"> = {},
): Setup => {
  const manual = createManualClock();
  const waits: number[] = [];
  const clock: Clock = {
    ...manual,
    sleep: (delayMs, signal) => {
      waits.push(delayMs);
      const slept = manual.sleep(delayMs, signal);
      if (timePasses) manual.advance(delayMs);
      return slept;
    },
  };
  const told: string[] = [];
  const abort = new AbortController();
  const log = createSilentLog();
  const cooldowns = defaultCooldownOptions;
  const pools = resources.use(
    createCredentialPools({ providers, order: {}, cooldowns, clock: manual, log }),
  );
  const callModel = createModelCaller({
    providers,
    pools,
    clock,
    log,
    random: () => 1,
    ...extras,
  });
  const run = (
    models: readonly Model[] = providers.map(({ name }) => modelOf(name)),
  ): Promise<ModelReply> =>
    callModel({
      models,
      request: createRequest(),
      signal: abort.signal,
      onText: (delta) => told.push(`text:${delta}`),
      onReset: () => told.push("reset"),
      onModel: (model) => told.push(`model:${model.name}`),
    });
  const runInVain = async (models?: readonly Model[]): Promise<ProviderError> => {
    const outcome: unknown = await run(models).catch((error: unknown) => error);
    if (!(outcome instanceof ProviderError)) throw new Error("expected a ProviderError");
    return outcome;
  };
  return { waits, told, abort, run, runInVain };
};

function modelOf(provider: string): Model {
  return createModel({ name: `${provider}/m`, provider, id: "m" });
}

it("ends at once when it is cancelled while nobody knows yet which credentials rest", async () => {
  const pools = { of: () => undefined, restored: new Promise<void>(() => undefined) };
  const callModel = createModelCaller({
    providers: [],
    pools: { ...pools, [Symbol.asyncDispose]: async () => undefined },
    clock: createManualClock(),
    log: createSilentLog(),
  });
  const abort = new AbortController();
  const call = callModel({
    models: [modelOf("test")],
    request: createRequest(),
    signal: abort.signal,
    onText: () => undefined,
    onReset: () => undefined,
    onModel: () => undefined,
  });
  abort.abort();
  await expect(call).rejects.toMatchObject({ reason: "cancelled" });
}, 5_000);

async function serve(
  name: string,
  script: Script,
  keys: readonly string[] = [],
): Promise<Provider & { server: ModelServer }> {
  const server = resources.use(await createModelServer(script));
  // The adapter's own deadlines stand still, so that only the waits between attempts move the clock.
  const adapter = resources.use(
    createOpenAiCompatibleAdapter({ baseUrl: server.url, clock: createManualClock() }),
  );
  return {
    name,
    adapter,
    credentials: keys.map((key) => createSecret(key)),
    retry: defaultRetryOptions,
    server,
  };
}

const half = 'data: {"choices":[{"delta":{"content":"half"}}]}\n\n';

describe("calling a model", () => {
  it("gives the reply of the first model and asks no other", async () => {
    const [first, second] = [
      await serve("first", { kind: "answer" }),
      await serve("second", { kind: "answer" }),
    ];
    const { run, told } = setUp([first, second]);
    expect(await run()).toMatchObject({ model: "first/m", text: "answer: how are you today" });
    expect(told[0]).toBe("model:first/m");
    expect(told.slice(1).every((entry) => entry.startsWith("text:"))).toBe(true);
    expect(second.server.requests).toHaveLength(0);
  });

  it("goes over to the next model after a moment, and back when that fails as well", async () => {
    const first = await serve("first", [{ kind: "error", status: 503 }, { kind: "answer" }]);
    const second = await serve("second", { kind: "error", status: 500 });
    const { run, waits, told } = setUp([first, second]);
    expect((await run()).model).toBe("first/m");
    expect(waits).toEqual([20, 1_000]);
    expect(told.slice(0, 3)).toEqual(["model:first/m", "model:second/m", "model:first/m"]);
  });

  it("tries again after a growing wait, up to four times", async () => {
    const first = await serve("first", { kind: "error", status: 503 });
    const { runInVain, waits } = setUp([first]);
    expect((await runInVain()).reason).toBe("overloaded");
    expect(first.server.requests).toHaveLength(4);
    expect(waits).toEqual([1_000, 2_000, 4_000]);
  });

  it("waits as long as the provider asks", async () => {
    const first = await serve("first", [
      { kind: "error", status: 429, headers: { "retry-after": "9" } },
      { kind: "answer" },
    ]);
    const { run, waits } = setUp([first]);
    expect((await run()).text).toContain("answer");
    expect(waits).toEqual([9_000]);
  });

  it("waits no longer than its patience in total", async () => {
    const headers = { "retry-after": "14" };
    const first = await serve("first", { kind: "error", status: 503, headers });
    const { runInVain, waits } = setUp([first]);
    expect(await runInVain()).toMatchObject({ reason: "overloaded", retryAfterMs: 14_000 });
    expect(waits).toEqual([14_000, 14_000]);
  });

  it("goes on at once when the provider asks for more patience than there is", async () => {
    const first = await serve("first", {
      kind: "error",
      status: 429,
      headers: { "retry-after": "21" },
    });
    const second = await serve("second", { kind: "answer" });
    const { run } = setUp([first, second]);
    expect((await run()).model).toBe("second/m");
    expect(first.server.requests).toHaveLength(1);
  });

  it.each([
    [401, {}],
    [402, {}],
    [404, { error: { message: "no such model" } }],
  ] as const)("goes to the next model at once after status %i", async (status, body) => {
    const first = await serve("first", { kind: "error", status, body });
    const second = await serve("second", { kind: "answer" });
    const { run } = setUp([first, second]);
    expect((await run()).model).toBe("second/m");
    expect(first.server.requests).toHaveLength(1);
  });

  it.each([
    ["invalid-request", { error: { message: "bad temperature" } }],
    ["content-filtered", { error: { message: "x", code: "content_filter" } }],
  ] as const)("stops after %s, which no other model would mend", async (reason, body) => {
    const first = await serve("first", { kind: "error", status: 400, body });
    const second = await serve("second", { kind: "answer" });
    const { runInVain } = setUp([first, second]);
    expect(await runInVain()).toMatchObject({ reason, model: "first/m", status: 400 });
    expect(second.server.requests).toHaveLength(0);
  });

  it("tries the other keys of a provider, and none again that was refused", async () => {
    const keys = ["sk-key-one-1", "sk-key-two-2", "sk-key-three-3", "sk-key-four-4"];
    const first = await serve(
      "first",
      [{ kind: "error", status: 429 }, { kind: "error", status: 401 }, { kind: "answer" }],
      keys,
    );
    const { run, runInVain, waits } = setUp([first]);
    const sent = (): unknown[] => first.server.requests.map(({ headers }) => headers.authorization);
    await run();
    expect(sent()).toEqual(keys.slice(0, 3).map((key) => `Bearer ${key}`));
    expect(waits).toEqual([20]);
    first.server.setScript({ kind: "error", status: 401 });
    expect(await runInVain()).toMatchObject({ reason: "unauthorized" });
    expect(sent().slice(3)).toEqual([`Bearer ${keys[2]}`, `Bearer ${keys[3]}`]);
  });

  it("calls nobody while every key rests, and says when to come back", async () => {
    const first = await serve("first", { kind: "error", status: 429 }, ["sk-key-one-1"]);
    const second = await serve("second", {
      kind: "error",
      status: 429,
      headers: { "retry-after": "45" },
    });
    const { runInVain, told } = setUp([first, second]);
    await runInVain();
    told.length = 0;
    const error = await runInVain();
    expect(error).toMatchObject({ reason: "rate-limited", retryAfterMs: 45_000 });
    expect(error.message).toContain("first/m: every credential rests (rate-limited)");
    expect(error.message).toContain("It makes sense to try again in 45 s.");
    expect(told).toEqual([]);
    expect(first.server.requests).toHaveLength(1);
    expect(second.server.requests).toHaveLength(1);
  });

  it("waits for a key that rests when that is within its patience", async () => {
    const first = await serve("first", [
      { kind: "error", status: 429, headers: { "retry-after": "15" } },
      { kind: "answer" },
    ]);
    const { run, runInVain, waits } = setUp([
      { ...first, retry: { ...defaultRetryOptions, maxAttempts: 1 } },
    ]);
    expect((await runInVain()).retryAfterMs).toBe(15_000);
    expect((await run()).text).toContain("answer");
    expect(waits).toEqual([15_000]);
  });

  it("never joins the text of two attempts", async () => {
    const first = await serve("first", [
      { kind: "raw", parts: [half] },
      { kind: "message", text: ["whole"] },
    ]);
    const { run, told } = setUp([first]);
    expect((await run()).text).toBe("whole");
    expect(told).toEqual(["model:first/m", "text:half", "reset", "text:whole"]);
  });

  it("never joins the text of two models, nor leaves text of the last failure standing", async () => {
    const retry = { ...defaultRetryOptions, maxAttempts: 1 };
    const first = { ...(await serve("first", { kind: "raw", parts: [half] })), retry };
    const second = { ...(await serve("second", { kind: "raw", parts: [half] })), retry };
    const { runInVain, told } = setUp([first, second]);
    expect(await runInVain()).toMatchObject({ reason: "broken-stream" });
    expect(told).toEqual([
      "model:first/m",
      "text:half",
      "reset",
      "model:second/m",
      "text:half",
      "reset",
    ]);
  });

  it("reports no reset when an attempt failed before any text", async () => {
    const first = await serve("first", { kind: "error", status: 401 });
    const second = await serve("second", { kind: "message", text: ["hi"] });
    const { run, told } = setUp([first, second]);
    await run();
    expect(told).toEqual(["model:first/m", "model:second/m", "text:hi"]);
  });

  it("drops text an adapter sends after its attempt has ended", async () => {
    let late = (_delta: string): void => undefined;
    const adapter: ModelAdapter = {
      stream: async ({ onText, model }) => {
        late = onText;
        throw new ProviderError("gone", { reason: "unauthorized", model: model.name });
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
    const { runInVain, told } = setUp([
      { name: "first", adapter, credentials: [], retry: defaultRetryOptions },
    ]);
    await runInVain();
    late("ghost");
    expect(told).toEqual(["model:first/m"]);
  });

  it("ends at once with cancelled while it waits between attempts", async () => {
    const first = await serve("first", { kind: "error", status: 503 });
    const { runInVain, abort, waits } = setUp([first], false);
    const failed = runInVain();
    await vi.waitFor(() => expect(waits).toHaveLength(1));
    abort.abort();
    expect((await failed).reason).toBe("cancelled");
    expect(first.server.requests).toHaveLength(1);
  });

  it("ends at once with cancelled inside an attempt, and the server sees the connection close", async () => {
    const first = await serve("first", { kind: "stall", at: "mid-stream" });
    const second = await serve("second", { kind: "answer" });
    const { runInVain, abort, told } = setUp([first, second]);
    const failed = runInVain();
    await vi.waitFor(() => expect(told.length).toBeGreaterThan(1));
    abort.abort();
    expect((await failed).reason).toBe("cancelled");
    await first.server.requests[0]?.closed;
    expect(first.server.requests[0]?.closedEarly()).toBe(true);
    expect(told).not.toContain("reset");
    expect(second.server.requests).toHaveLength(0);
  });

  it("ends at once with cancelled although the adapter never answers", async () => {
    const adapter: ModelAdapter = {
      stream: () => new Promise(() => undefined),
      [Symbol.asyncDispose]: async () => undefined,
    };
    const { runInVain, abort } = setUp([
      { name: "first", adapter, credentials: [], retry: defaultRetryOptions },
    ]);
    const failed = runInVain();
    abort.abort();
    expect((await failed).reason).toBe("cancelled");
  });

  it("fails with the most telling failure and says what was tried", async () => {
    const retry = { ...defaultRetryOptions, maxAttempts: 1 };
    const first = { ...(await serve("first", { kind: "error", status: 500 })), retry };
    const second = { ...(await serve("second", { kind: "error", status: 402 })), retry };
    const { runInVain } = setUp([first, second]);
    const error = await runInVain([modelOf("first"), modelOf("second"), modelOf("third")]);
    expect(error).toMatchObject({ reason: "billing", model: "second/m", status: 402 });
    expect(error.message).toContain("first/m refused with overloaded (HTTP 500)");
    expect(error.message).toContain("second/m refused with billing (HTTP 402)");
    expect(error.message).toContain('no provider named "third"');
  });

  describe("when a request is too long", () => {
    const tooLong: ScriptedReply = {
      kind: "error",
      status: 400,
      body: { error: { message: "maximum context length is 900 tokens", code: "x" } },
    };
    /** Sends ever shorter words, a number of times. */
    const fitterOf =
      (times: number, refusals: LengthRefusal[] = []): RequestFitter =>
      (request) => {
        const left = new Map<string, number>();
        return {
          forModel: ({ name }) => {
            const content = "x".repeat(1 + (left.get(name) ?? times));
            return { ...request, messages: [{ role: "user", content }] };
          },
          shorten: ({ name }, refusal) => {
            refusals.push(refusal);
            const next = (left.get(name) ?? times) - 1;
            left.set(name, next);
            return next >= 0;
          },
          learn: ({ text }) => learned.push(text),
        };
      };
    const learned: string[] = [];
    const sizes = ({ requests }: ModelServer): unknown[] =>
      requests.map(({ body }) => body.messages?.at(-1)?.content?.length);

    it("sends a shorter one to the same model at once, with the same key", async () => {
      const first = await serve("first", [tooLong, tooLong, { kind: "answer" }], ["sk-key-one-1"]);
      const second = await serve("second", { kind: "answer" });
      const refusals: LengthRefusal[] = [];
      learned.length = 0;
      const { run, waits, told } = setUp([first, second], true, { fitter: fitterOf(3, refusals) });
      expect(await run()).toMatchObject({ model: "first/m", text: "answer: xx" });
      expect(sizes(first.server)).toEqual([4, 3, 2]);
      expect(waits).toEqual([]);
      expect(told).toEqual(["model:first/m", "text:answer:", "text: xx"]);
      expect(refusals[0]).toEqual({ limitTokens: 900, sentTokens: undefined });
      expect(learned).toEqual(["answer: xx"]);
    });

    it("goes to the next model once nothing more can be left out, and says so when none is left", async () => {
      const first = await serve("first", tooLong);
      const second = await serve("second", [{ kind: "answer" }, tooLong]);
      const fitter = fitterOf(1);
      const { run, runInVain } = setUp([first, second], true, { fitter });
      expect(await run()).toMatchObject({ model: "second/m", text: "answer: xx" });
      expect(sizes(first.server)).toEqual([2, 1]);
      expect(await runInVain()).toMatchObject({ reason: "context-too-long", model: "first/m" });
      expect(sizes(second.server)).toEqual([2, 2, 1]);
    });

    it("does not ask a model that can read no more", async () => {
      const first = await serve("first", tooLong);
      const second = await serve("second", { kind: "answer" });
      const fitter: RequestFitter = (request) => ({
        forModel: ({ name }) => (name === "first/m" ? request : undefined),
        shorten: () => false,
        learn: () => undefined,
      });
      const { runInVain } = setUp([first, second], true, { fitter });
      expect((await runInVain()).reason).toBe("context-too-long");
      expect(second.server.requests).toHaveLength(0);
    });
  });

  it("begins with the others while the first model is out of order", async () => {
    const first = await serve("first", [{ kind: "error", status: 503 }, { kind: "answer" }]);
    const second = await serve("second", [{ kind: "answer" }, { kind: "answer" }]);
    const health = resources.use(
      createHealthGate({
        probes: new Map(["first", "second"].map((name) => [name, async () => true])),
        intervalMs: 10_000,
        recoverAfter: 3,
        clock: createManualClock(),
        log: createSilentLog(),
      }),
    );
    const { run, told } = setUp([first, second], true, { health });
    await run();
    told.length = 0;
    expect((await run()).model).toBe("second/m");
    expect(told[0]).toBe("model:second/m");
    second.server.setScript({ kind: "error", status: 401 });
    expect((await run()).model).toBe("first/m");
    told.length = 0;
    expect((await run()).model).toBe("first/m");
    expect(told[0]).toBe("model:first/m");
  });

  it("fails with a clear error when there is no model at all", async () => {
    const { runInVain } = setUp([]);
    expect((await runInVain()).message).toContain("routing.primary");
  });

  it("treats an adapter that throws something else as a broken stream", async () => {
    const adapter: ModelAdapter = {
      stream: async () => {
        throw new TypeError("bug with sk-inner-secret");
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
    const retry = { ...defaultRetryOptions, maxAttempts: 1 };
    const { runInVain } = setUp([{ name: "first", adapter, credentials: [], retry }]);
    const error = await runInVain();
    expect(error.reason).toBe("broken-stream");
    expect(error.message).not.toContain("sk-inner-secret");
  });

  it("asks whichever providers the configuration names", async () => {
    const server = resources.use(await createModelServer());
    const { providers } = resources.use(
      createProviders({
        clock: createManualClock(),
        providers: [
          {
            name: "local",
            api: "openai-completions",
            baseUrl: server.url,
            credentials: [],
            retry: defaultRetryOptions,
            models: [modelOf("local")],
          },
        ],
      }),
    );
    const { run } = setUp(providers);
    expect((await run()).model).toBe("local/m");
    expect(server.requests[0]?.body.model).toBe("m");
  });
});
