import { inspect } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createManualClock, systemClock } from "../../base/clock.ts";
import type { Clock } from "../../base/clock.ts";
import { ConfigError, ProviderError } from "../../base/errors.ts";
import { createSecret } from "../../base/secret.ts";
import type { Model, ModelReply, ToolSpecification } from "../../domain/model.ts";
import type { TranscriptMessage } from "../../domain/session.ts";
import { createAnthropicAdapter } from "./anthropic-adapter.ts";
import { createBedrockAdapter } from "./bedrock-adapter.ts";
import { createGoogleAdapter } from "./google-adapter.ts";
import { createModel, createRequest, describeModelAdapter } from "../model-adapter.contract.ts";
import type { ModelAdapter, ModelAdapterCall, ModelCallLimits } from "../model-adapter.ts";
import { createOpenAiResponsesAdapter } from "./openai-responses-adapter.ts";
import type { SdkAdapterOptions } from "./sdk-adapter.ts";
import { createModelServer } from "../testing/model-server.ts";
import type { ModelServer, Script } from "../testing/model-server.ts";
import {
  anthropicMessages,
  bedrockConverse,
  googleGenerativeAi,
  openAiResponses,
  toAwsFrame,
} from "../testing/wire-format.ts";
import type { WireFormat } from "../testing/wire-format.ts";
import { createVertexAdapter } from "./vertex-adapter.ts";

const key = "sk-test-very-secret-0123456789";

const greetTool: ToolSpecification = {
  name: "hello__greet",
  description: "Greets somebody",
  inputSchema: {
    type: "object",
    properties: {
      name: { anyOf: [{ type: "string", pattern: "^[A-Z]" }, { type: "null" }] },
      tags: { type: "array", items: { $ref: "#/$defs/tag" }, minItems: 1 },
    },
    required: ["name"],
    additionalProperties: false,
    $defs: { tag: { type: "string", enum: ["a", "b"] } },
  },
};

const conversation: readonly TranscriptMessage[] = [
  { role: "user", content: "greet Ada and Bob" },
  {
    role: "assistant",
    content: "On it.",
    toolCalls: [
      { id: "functions.greet:0", name: "hello__greet", arguments: { name: "Ada" } },
      { id: "b", name: "hello.greet now", arguments: {}, invalidArguments: '{"name": ' },
    ],
  },
  {
    role: "tool",
    callId: "functions.greet:0",
    tool: "hello__greet",
    content: "hi Ada",
    isError: false,
  },
  { role: "tool", callId: "b", tool: "hello.greet now", content: "no such tool", isError: true },
];

interface Api {
  readonly name: string;
  readonly wire: WireFormat;
  readonly create: (options: SdkAdapterOptions) => ModelAdapter;
  readonly keyHeaders: Readonly<Record<string, string>>;
  /** An event with a complaint, as it stands inside a stream. */
  readonly toErrorEvent: (type: string, message: string, status: number) => string;
  readonly finishReasons: { readonly length: string; readonly filter: string };
}

const anthropic: Api = {
  name: "anthropic-messages",
  wire: anthropicMessages,
  create: createAnthropicAdapter,
  keyHeaders: { "x-api-key": key },
  toErrorEvent: (type, message) =>
    `event: error\ndata: ${JSON.stringify({ type: "error", error: { type, message } })}\n\n`,
  finishReasons: { length: "max_tokens", filter: "refusal" },
};

const responses: Api = {
  name: "openai-responses",
  wire: openAiResponses,
  create: createOpenAiResponsesAdapter,
  keyHeaders: { authorization: `Bearer ${key}` },
  toErrorEvent: (code, message) => {
    const error = { type: "error", code, message, param: null, sequence_number: 99 };
    return `event: error\ndata: ${JSON.stringify(error)}\n\n`;
  },
  finishReasons: { length: "max_output_tokens", filter: "content_filter" },
};

const google: Api = {
  name: "google-generative-ai",
  wire: googleGenerativeAi,
  create: createGoogleAdapter,
  keyHeaders: { "x-goog-api-key": key },
  toErrorEvent: (status, message, code) =>
    `data: ${JSON.stringify({ error: { code, message, status } })}\n\n`,
  finishReasons: { length: "MAX_TOKENS", filter: "SAFETY" },
};

const vertex: Api = { ...google, name: "google-vertex", create: createVertexAdapter };

const bedrockExceptions: Readonly<Record<number, string>> = {
  400: "validationException",
  429: "throttlingException",
  500: "internalServerException",
  529: "serviceUnavailableException",
};

const bedrock: Api = {
  name: "bedrock-converse",
  wire: bedrockConverse,
  create: createBedrockAdapter,
  keyHeaders: { authorization: `Bearer ${key}` },
  toErrorEvent: (_type, message, status) => {
    const type = bedrockExceptions[status] ?? "accessDeniedException";
    return toAwsFrame({ ":message-type": "exception", ":exception-type": type }, { message });
  },
  finishReasons: { length: "max_tokens", filter: "guardrail_intervened" },
};

const apis = [anthropic, responses, google, vertex, bedrock];

for (const { name, wire, create } of apis) {
  describeModelAdapter(name, async () => {
    const server = await createModelServer({ kind: "answer" }, { wire });
    const adapter = create({ baseUrl: server.url, clock: systemClock });
    return {
      adapter,
      model: createModel(),
      [Symbol.asyncDispose]: async () => {
        await adapter[Symbol.asyncDispose]();
        await server[Symbol.asyncDispose]();
      },
    };
  });
}

const keyVariables = [
  "ANTHROPIC_API_KEY",
  "OPENAI_API_KEY",
  "GOOGLE_GENERATIVE_AI_API_KEY",
  "GOOGLE_VERTEX_API_KEY",
  "AWS_BEARER_TOKEN_BEDROCK",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
];

let resources = new AsyncDisposableStack();
afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

interface Setup {
  readonly server: ModelServer;
  readonly adapter: ModelAdapter;
  readonly deltas: string[];
  readonly ask: (change?: Partial<ModelAdapterCall>) => Promise<ModelReply>;
  readonly askInVain: (change?: Partial<ModelAdapterCall>) => Promise<ProviderError>;
  readonly lastBody: () => Readonly<Record<string, unknown>>;
}

interface SetupOptions {
  readonly clock?: Clock;
  readonly limits?: Partial<ModelCallLimits>;
  readonly path?: string;
}

async function setUp(
  api: Api,
  script: Script = { kind: "answer" },
  { clock = systemClock, limits = {}, path = "" }: SetupOptions = {},
): Promise<Setup> {
  const server = resources.use(await createModelServer(script, { wire: api.wire }));
  const adapter = resources.use(api.create({ baseUrl: server.url + path, clock, limits }));
  const deltas: string[] = [];
  const ask = (change: Partial<ModelAdapterCall> = {}): Promise<ModelReply> =>
    adapter.stream({
      model: createModel(),
      request: createRequest(),
      credential: createSecret(key),
      signal: new AbortController().signal,
      onText: (delta) => deltas.push(delta),
      ...change,
    });
  const askInVain = async (change: Partial<ModelAdapterCall> = {}): Promise<ProviderError> => {
    const outcome: unknown = await ask(change).catch((error: unknown) => error);
    if (!(outcome instanceof ProviderError))
      throw new Error(`expected a ProviderError, got ${inspect(outcome)}`);
    expect(inspect(outcome, { depth: 9 })).not.toContain(key);
    return outcome;
  };
  const lastBody = (): Readonly<Record<string, unknown>> =>
    server.requests.at(-1)?.body as Readonly<Record<string, unknown>>;
  return { server, adapter, deltas, ask, askInVain, lastBody };
}

describe.each(apis)("the adapter for $name", (api) => {
  describe("what it sends", () => {
    it("has the key in its own header, and only there", async () => {
      const { server, ask } = await setUp(api);
      await ask();
      expect(server.requests[0]?.headers).toMatchObject(api.keyHeaders);
      const { headers, path, body } = server.requests[0] ?? {};
      const values = Object.entries(headers ?? {}).filter(([, value]) => value?.includes(key));
      expect(values).toHaveLength(1);
      expect(JSON.stringify([path, body])).not.toContain(key);
    });

    it("has no key for servers that want none, whatever the environment holds", async () => {
      for (const name of keyVariables) vi.stubEnv(name, key);
      const { server, ask } = await setUp(api);
      await ask({ credential: undefined });
      vi.unstubAllEnvs();
      const names = ["authorization", "x-api-key", "x-goog-api-key"];
      for (const name of names) expect(server.requests[0]?.headers).not.toHaveProperty(name);
    });

    it("tolerates a trailing slash in base_url", async () => {
      const { ask } = await setUp(api, { kind: "answer" }, { path: "/" });
      expect((await ask()).text).toBe("answer: how are you today");
    });

    it("has the tools with their whole JSON Schema, and neither temperature nor tools otherwise", async () => {
      const { ask, lastBody } = await setUp(api);
      await ask({ request: createRequest({ tools: [greetTool] }) });
      const sent = JSON.stringify(lastBody());
      expect(sent).toContain('"name":"hello__greet"');
      for (const [name, part] of Object.entries(greetTool.inputSchema))
        expect(sent).toContain(`"${name}":${JSON.stringify(part)}`);
      const model = createModel({ nativeTools: false });
      await ask({ model, request: createRequest({ tools: [greetTool] }) });
      expect(lastBody()).not.toHaveProperty("tools");
      expect(JSON.stringify(lastBody())).not.toContain("temperature");
    });

    it("has earlier calls with their results, the odd ones made valid", async () => {
      const { ask, lastBody } = await setUp(api);
      const messages = [...conversation, { role: "user", content: "" } as const];
      await ask({ request: createRequest({ messages, tools: [greetTool] }) });
      const sent = JSON.stringify(lastBody());
      for (const word of ["hi Ada", "no such tool", "hello_greet_now", "invalid_arguments"])
        expect(sent).toContain(word);
      expect(sent).not.toContain("functions.greet:0");
      expect(sent).not.toContain('"text":""');
    });
  });

  describe("what it understands", () => {
    it("is text with usage, cached and reasoning tokens where the format has them", async () => {
      const { ask, deltas } = await setUp(api, {
        kind: "message",
        text: ["Hel", "lo, ", "wörld 🦅"],
        usage: { prompt: 100, completion: 20, cached: 60, reasoning: 8 },
      });
      expect(await ask()).toEqual({
        text: "Hello, wörld 🦅",
        toolCalls: [],
        finishReason: "stop",
        usage: {
          inputTokens: 100,
          outputTokens: 20,
          cachedInputTokens: 60,
          // Bedrock does not tell.
          ...(api === bedrock ? {} : { reasoningTokens: 8 }),
        },
        model: "test/test-model",
      });
      expect(deltas).toEqual(["Hel", "lo, ", "wörld 🦅"]);
    });

    it("is usage with what was written into the cache, where that is billed apart", async () => {
      const usage = { prompt: 100, completion: 20, cached: 60, written: 30 };
      const { ask } = await setUp(api, { kind: "message", text: "Hello", usage });
      expect((await ask()).usage).toEqual({
        inputTokens: 100,
        outputTokens: 20,
        cachedInputTokens: 60,
        ...(api === anthropic || api === bedrock ? { cacheWriteTokens: 30 } : {}),
      });
    });

    it("is text and several tool calls", async () => {
      const { ask } = await setUp(api, {
        kind: "message",
        text: "Let me see.",
        toolCalls: [
          { name: "hello__greet", arguments: { name: "Ada", tags: ["a"] } },
          { id: "mine", name: "clock__now", arguments: {} },
        ],
      });
      const request = createRequest({ tools: [greetTool] });
      expect(await ask({ request })).toMatchObject({
        text: "Let me see.",
        finishReason: "tool-calls",
        toolCalls: [
          { id: "call_1", name: "hello__greet", arguments: { name: "Ada", tags: ["a"] } },
          { id: "mine", name: "clock__now", arguments: {} },
        ],
      });
    });

    it("is why an answer ended", async () => {
      const { length, filter } = api.finishReasons;
      const { ask, askInVain } = await setUp(api, [
        { kind: "message", text: "partial", finishReason: length },
        { kind: "message", text: "partial", finishReason: filter },
        { kind: "message", finishReason: filter },
      ]);
      expect((await ask()).finishReason).toBe("length");
      expect((await ask()).finishReason).toBe("content-filter");
      expect((await askInVain()).reason).toBe("content-filtered");
    });
  });

  describe("how it classifies", () => {
    it.each([
      [400, { error: { message: "Your credit balance is too low" } }, "billing"],
      [400, { error: { message: "API key not valid. Please pass one." } }, "unauthorized"],
      [400, { error: { message: "prompt is too long: 9 tokens > 8 maximum" } }, "context-too-long"],
      [
        400,
        {
          error: {
            message: "The input token count (9) exceeds the maximum number of tokens allowed (8).",
          },
        },
        "context-too-long",
      ],
      [400, { error: { message: "temperature must be a number" } }, "invalid-request"],
      [401, { error: { type: "authentication_error", message: "invalid key" } }, "unauthorized"],
      [403, { error: { message: "no permission" } }, "unauthorized"],
      [404, { error: { message: "no such model" } }, "invalid-request"],
      [413, "too large", "context-too-long"],
      [302, "", "invalid-request"],
      [429, {}, "rate-limited"],
      [429, { error: { code: "insufficient_quota", message: "no money" } }, "billing"],
      [500, "<html>Internal error</html>", "overloaded"],
      [502, "", "overloaded"],
      [503, [{ error: { code: 503, message: "try later", status: "UNAVAILABLE" } }], "overloaded"],
      [504, "", "overloaded"],
      [529, { error: { type: "overloaded_error", message: "Overloaded" } }, "overloaded"],
    ] as const)("status %i with %j as %s, asking once", async (status, body, reason) => {
      const { server, askInVain } = await setUp(api, { kind: "error", status, body });
      expect(await askInVain()).toMatchObject({ reason, status, model: "test/test-model" });
      expect(server.requests).toHaveLength(1);
    });

    it.each([
      [{ "retry-after": "7" }, 7_000],
      [{ "retry-after-ms": "250", "retry-after": "9" }, 250],
      [{ "retry-after": new Date(1_700_000_030_000).toUTCString() }, 30_000],
      [{}, undefined],
    ] as const)("the wait in %j", async (headers, retryAfterMs) => {
      const { askInVain } = await setUp(
        api,
        { kind: "error", status: 429, headers },
        { clock: createManualClock() },
      );
      expect(await askInVain()).toMatchObject({ reason: "rate-limited", retryAfterMs });
    });

    it.each([
      ["overloaded_error", "Overloaded", 529, "overloaded"],
      ["rate_limit_error", "slow down", 429, "rate-limited"],
      ["authentication_error", "bad key", 401, "unauthorized"],
      ["api_error", "oops", 500, "overloaded"],
    ] as const)(
      "an event with %s, first in the stream and behind text",
      async (type, message, status, told) => {
        // Inside Bedrock's stream there is no word for it.
        const reason = api === bedrock && status === 401 ? "broken-stream" : told;
        const event = api.toErrorEvent(type, message, status);
        const { server, askInVain, deltas } = await setUp(api, { kind: "raw", parts: [event] });
        expect(await askInVain()).toMatchObject({ reason });
        expect(deltas).toEqual([]);
        const writer = api.wire.createWriter();
        server.setScript({ kind: "raw", parts: [writer.begin(), writer.text("half"), event] });
        expect(await askInVain()).toMatchObject({ reason });
        expect(deltas).toEqual(["half"]);
        expect(server.requests).toHaveLength(2);
      },
    );

    it.each([
      [{ error: { message: "upstream busy", code: 502 } }, "overloaded"],
      [{ error: { message: "slow down", type: "rate_limit_error" } }, "rate-limited"],
      [{ error: "model runner has unexpectedly stopped" }, "broken-stream"],
      [{ choices: [] }, "broken-stream"],
    ] as const)("a 200 that carries %j", async (body, reason) => {
      const parts = [JSON.stringify(body)];
      const script = { kind: "raw", contentType: "application/json", parts } as const;
      expect(await (await setUp(api, script)).askInVain()).toMatchObject({ reason });
    });

    it("a server that is not there as unreachable", async () => {
      const { server, askInVain } = await setUp(api);
      await server[Symbol.asyncDispose]();
      const error = await askInVain();
      expect(error.reason).toBe("unreachable");
      expect(error.message).toContain("ECONNREFUSED");
    });

    it("a reset before the answer as unreachable, inside the answer as broken-stream", async () => {
      const { server, askInVain, deltas } = await setUp(api, { kind: "reset", at: "headers" });
      expect(await askInVain()).toMatchObject({ reason: "unreachable" });
      server.setScript({ kind: "reset", at: "first-token" });
      expect(await askInVain()).toMatchObject({ reason: "broken-stream" });
      server.setScript({ kind: "reset", at: "mid-stream", text: "half an answer" });
      expect(await askInVain()).toMatchObject({ reason: "broken-stream" });
      expect(deltas.join("")).toBe("half an answer");
    });

    it.each([
      ["an event that is not JSON", ["data: {oops\n\n"]],
      ["an event that is not an object", ["data: 17\n\n"]],
      ["text that is no event stream", ["Welcome to our hotel network"]],
      ["an empty stream", []],
    ])("%s as broken-stream", async (_name, parts) => {
      const { askInVain } = await setUp(api, { kind: "raw", parts });
      expect(await askInVain()).toMatchObject({ reason: "broken-stream" });
    });

    it("a stream that ends without finish as broken-stream", async () => {
      const writer = api.wire.createWriter();
      const parts = [writer.begin(), writer.text("half")];
      const { askInVain } = await setUp(api, { kind: "raw", parts });
      expect((await askInVain()).reason).toBe("broken-stream");
    });

    it("a web page as broken-stream that names base_url", async () => {
      const { askInVain } = await setUp(api, {
        kind: "raw",
        contentType: "text/html",
        parts: ["<html></html>"],
      });
      expect(await askInVain()).toMatchObject({
        reason: "broken-stream",
        message: expect.stringContaining("base_url") as string,
      });
    });

    it("a key that cannot be sent as unauthorized", async () => {
      const { askInVain } = await setUp(api);
      const error = await askInVain({ credential: createSecret("sk-broken\nkey-12345") });
      expect(error.reason).toBe("unauthorized");
      expect(inspect(error, { depth: 9 })).not.toContain("key-12345");
    });
  });

  describe("its deadlines and limits", () => {
    it.each(["headers", "first-token"] as const)("end a call that stalls before %s", async (at) => {
      const clock = createManualClock();
      const { server, askInVain } = await setUp(api, { kind: "stall", at }, { clock });
      const failed = askInVain();
      await vi.waitFor(() => expect(server.requests).toHaveLength(1));
      clock.advance(60_000);
      expect(await failed).toMatchObject({ reason: "timed-out" });
      await server.requests[0]?.closed;
      expect(server.requests[0]?.closedEarly()).toBe(true);
    });

    it("end a call that stalls inside the answer", async () => {
      const clock = createManualClock();
      const { server, askInVain, deltas } = await setUp(
        api,
        { kind: "stall", at: "mid-stream", text: "one two" },
        { clock, limits: { idleTimeoutMs: 5_000 } },
      );
      const failed = askInVain();
      await vi.waitFor(() => expect(deltas.join("")).toBe("one two"));
      clock.advance(5_000);
      expect((await failed).message).toContain("half-way");
      await server.requests[0]?.closed;
    });

    it("end an answer that never ends", async () => {
      const text = Array.from({ length: 1_000 }, () => "x");
      const { askInVain } = await setUp(
        api,
        { kind: "message", text, delayBetweenChunksMs: 5 },
        { limits: { totalTimeoutMs: 100 } },
      );
      expect((await askInVain()).message).toContain("took too long");
    });

    it("refuse an answer that is too long, and close the connection", async () => {
      const writer = api.wire.createWriter();
      const parts = [writer.begin(), writer.text("0123456789x")];
      const { server, askInVain } = await setUp(
        api,
        { kind: "raw", parts, end: false },
        { limits: { maxReplyLength: 10 } },
      );
      expect((await askInVain()).message).toContain("size");
      await server.requests[0]?.closed;
    });

    it("refuse tool arguments that are too long, and too many calls", async () => {
      const call = { name: "a__b", arguments: { text: "x".repeat(200) } };
      const { askInVain } = await setUp(
        api,
        [
          { kind: "message", toolCalls: [call] },
          {
            kind: "message",
            toolCalls: Array.from({ length: 4 }, () => ({ ...call, arguments: {} })),
          },
        ],
        { limits: { maxReplyLength: 100, maxToolCalls: 3 } },
      );
      expect((await askInVain()).message).toContain("size");
      expect((await askInVain()).message).toContain("more than 3 tool calls");
    });

    it("refuse an event without end", async () => {
      const parts = Array.from({ length: 9 }, () => "x".repeat(1024 * 1024));
      const { askInVain } = await setUp(api, {
        kind: "raw",
        parts: ["data: ", ...parts],
        end: false,
      });
      expect((await askInVain()).message).toContain("oversized");
    });

    it("outlive an error that is nested without end", async () => {
      const depth = 10_000;
      const body = `{"error":${'{"0":'.repeat(depth)}1${"}".repeat(depth)}}`;
      const { server, askInVain } = await setUp(api, { kind: "error", status: 500, body });
      expect(await askInVain()).toMatchObject({ reason: "overloaded" });
      server.setScript({ kind: "raw", parts: [`data: ${body}\n\n`] });
      expect(await askInVain()).toMatchObject({ reason: "broken-stream" });
    });

    it("cut an endless error page", async () => {
      const body = "y".repeat(1024 * 1024);
      const { askInVain } = await setUp(api, { kind: "error", status: 500, body });
      const error = await askInVain();
      expect(error.reason).toBe("overloaded");
      expect(error.message.length).toBeLessThan(500);
    });
  });

  it("quotes a server on one line, without the key", async () => {
    const message = `Incorrect key:\n${key}. ${"x".repeat(400)}`;
    const body = { error: { message } };
    const { askInVain } = await setUp(api, { kind: "error", status: 401, body });
    const error = await askInVain();
    expect(error.message).toContain("Incorrect key: [secret].");
    expect(error.message.length).toBeLessThan(400);
  });

  it("closes the connection when a call is cancelled", async () => {
    const { server, askInVain, deltas } = await setUp(api, { kind: "stall", at: "mid-stream" });
    const abort = new AbortController();
    const failed = askInVain({ signal: abort.signal });
    await vi.waitFor(() => expect(deltas).not.toEqual([]));
    abort.abort();
    expect((await failed).reason).toBe("cancelled");
    await server.requests[0]?.closed;
    expect(server.requests[0]?.closedEarly()).toBe(true);
  });

  it("uses its connections again", async () => {
    const { server, ask } = await setUp(api);
    for (let count = 0; count < 10; count += 1) {
      await ask();
      await server.requests.at(-1)?.closed;
    }
    expect(server.connections()).toBeLessThan(10);
  });

  it("ends calls under way when it is disposed of", async () => {
    const { server, adapter, askInVain } = await setUp(api, { kind: "stall", at: "headers" });
    const failed = askInVain();
    await vi.waitFor(() => expect(server.requests).toHaveLength(1));
    await adapter[Symbol.asyncDispose]();
    expect((await failed).reason).toBe("cancelled");
    await server.requests[0]?.closed;
  });

  it("leaves no deadline behind", async () => {
    let waiting = 0;
    const clock: Clock = {
      ...systemClock,
      after: (delayMs, task) => {
        waiting += 1;
        let isOver = false;
        const end = (): void => {
          waiting -= isOver ? 0 : 1;
          isOver = true;
        };
        const cancel = systemClock.after(delayMs, () => (end(), task()));
        return () => (end(), cancel());
      },
    };
    const { ask, askInVain } = await setUp(
      api,
      [
        { kind: "message", text: "one two" },
        { kind: "error", status: 500 },
      ],
      { clock },
    );
    await ask();
    await askInVain();
    await vi.waitFor(() => expect(waiting).toBe(0));
  });

  it.each([
    "localhost:1234",
    "http://ada:topsecretpw@127.0.0.1/v1",
    "http://127.0.0.1/v1?key=topsecretpw",
  ])("refuses the base_url %s when it is created, and does not repeat it", (baseUrl) => {
    const create = (): unknown => api.create({ baseUrl, clock: systemClock });
    expect(create).toThrow(ConfigError);
    expect(create).not.toThrow(/topsecretpw/);
  });
});

describe("the adapter for anthropic-messages", () => {
  it("always sets max_tokens, and sends no temperature", async () => {
    const { ask, lastBody } = await setUp(anthropic);
    await ask();
    expect(lastBody()).toMatchObject({ model: "test-model", max_tokens: 4_096, stream: true });
    await ask({ model: createModel({ maxTokens: 64 }) });
    expect(lastBody()).toMatchObject({ max_tokens: 64 });
    expect(lastBody()).not.toHaveProperty("temperature");
  });

  it("takes a base_url that names its version", async () => {
    const { ask, server } = await setUp(anthropic, { kind: "answer" }, { path: "/v1" });
    await ask();
    expect(server.requests[0]?.path).toBe("/v1/messages");
  });

  it("marks the tools, the system prompt and the last message for the cache", async () => {
    const { ask, lastBody } = await setUp(anthropic);
    await ask({ request: createRequest({ tools: [{ ...greetTool, name: "other" }, greetTool] }) });
    const [other, last] = lastBody()["tools"] as readonly Readonly<Record<string, unknown>>[];
    expect(other).not.toHaveProperty("cache_control");
    expect(last).toMatchObject({ name: "hello__greet", cache_control: { type: "ephemeral" } });
    expect(lastBody()).toMatchObject({
      system: [{ text: "You are a test.", cache_control: { type: "ephemeral" } }],
      messages: [{ content: [{ cache_control: { type: "ephemeral" } }] }],
    });
  });

  it("tells calls apart whose identifiers differ in odd characters only", async () => {
    const { ask, lastBody } = await setUp(anthropic);
    const messages: TranscriptMessage[] = ["a.b", "a:b", "a_b"].flatMap((id) => [
      { role: "assistant", content: "", toolCalls: [{ id, name: "a", arguments: {} }] },
      { role: "tool", callId: id, tool: "a", content: "done", isError: false },
    ]);
    await ask({
      request: createRequest({ messages: [{ role: "user", content: "go" }, ...messages] }),
    });
    const sent = JSON.stringify(lastBody());
    const called = [...sent.matchAll(/"type":"tool_use","id":"([\w-]+)"/g)].map(([, id]) => id);
    const answered = [...sent.matchAll(/"tool_use_id":"([\w-]+)"/g)].map(([, id]) => id);
    expect(new Set(called).size).toBe(3);
    expect(answered).toEqual(called);
    expect(called).toContain("a_b");
  });

  it("joins the results of one round into one message, failures marked", async () => {
    const { ask, lastBody } = await setUp(anthropic);
    await ask({ request: createRequest({ messages: conversation }) });
    expect(lastBody()["messages"]).toMatchObject([
      { role: "user" },
      {
        role: "assistant",
        content: [
          { type: "text", text: "On it." },
          { type: "tool_use", id: "functions_greet_0", input: { name: "Ada" } },
          { type: "tool_use", id: "b" },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "functions_greet_0", content: "hi Ada" },
          { type: "tool_result", tool_use_id: "b", is_error: true },
        ],
      },
    ]);
  });

  describe("with a reasoning effort", () => {
    it("gives a model its budget on top of the limit, or its effort where it decides itself", async () => {
      const { ask, lastBody } = await setUp(anthropic);
      const limits = { maxTokens: 1_000, reasoningEffort: "high" };
      await ask({ model: createModel({ id: "claude-sonnet-4-5-20250929", ...limits }) });
      const { thinking, max_tokens: limit } = lastBody() as {
        readonly thinking: { readonly budget_tokens: number };
        readonly max_tokens: number;
      };
      expect(thinking).toMatchObject({ type: "enabled" });
      expect(limit).toBe(thinking.budget_tokens + 1_000);
      await ask({ model: createModel({ id: "claude-opus-4-6", ...limits }) });
      expect(lastBody()).toMatchObject({ max_tokens: 1_000, output_config: { effort: "high" } });
    });

    const model: Model = createModel({ reasoningEffort: "low" });
    const thinking = [
      { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
      {
        type: "content_block_delta",
        index: 0,
        delta: { type: "thinking_delta", thinking: "Ada it is." },
      },
      {
        type: "content_block_delta",
        index: 0,
        delta: { type: "signature_delta", signature: "signed" },
      },
      { type: "content_block_stop", index: 0 },
      {
        type: "content_block_start",
        index: 1,
        content_block: { type: "tool_use", id: "toolu_1", name: "hello__greet", input: {} },
      },
      { type: "content_block_stop", index: 1 },
    ];

    it("gives back what the model thought before its calls", async () => {
      const writer = anthropicMessages.createWriter();
      const parts = [
        writer.begin(),
        ...thinking.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`),
        writer.end("tool_use", { prompt: 1, completion: 1, cached: 0, written: 0, reasoning: 0 }),
      ];
      const { ask, lastBody, deltas } = await setUp(anthropic, [
        { kind: "raw", parts },
        { kind: "answer" },
      ]);
      const { toolCalls, text } = await ask({ model });
      expect(lastBody()).toMatchObject({ thinking: { type: "enabled" } });
      expect(deltas).toEqual([]);
      const messages: TranscriptMessage[] = [
        { role: "user", content: "how are you today" },
        { role: "assistant", content: text, toolCalls },
        { role: "tool", callId: "toolu_1", tool: "hello__greet", content: "hi", isError: false },
      ];
      await ask({ model, request: createRequest({ messages }) });
      expect(lastBody()).toMatchObject({
        thinking: { type: "enabled" },
        messages: [
          {},
          {
            content: [
              { type: "thinking", thinking: "Ada it is.", signature: "signed" },
              { type: "tool_use" },
            ],
          },
          {},
        ],
      });
    });

    it("does without thinking in a round whose thoughts it does not have", async () => {
      const { ask, lastBody } = await setUp(anthropic);
      await ask({ model, request: createRequest({ messages: conversation }) });
      expect(lastBody()).not.toHaveProperty("thinking");
    });
  });
});

describe("the adapter for openai-responses", () => {
  it("lets the provider store nothing, and sends limit and effort", async () => {
    const { ask, lastBody } = await setUp(responses);
    await ask({ model: createModel({ maxTokens: 64, reasoningEffort: "low" }) });
    expect(lastBody()).toMatchObject({
      model: "test-model",
      store: false,
      max_output_tokens: 64,
      // So that thoughts can be given back although nobody stored them.
      include: ["reasoning.encrypted_content"],
      reasoning: { effort: "low" },
    });
  });

  it("does not ask for the strict mode, which takes only some schemas", async () => {
    const { ask, lastBody } = await setUp(responses);
    await ask({ request: createRequest({ tools: [greetTool] }) });
    expect(lastBody()["tools"]).toMatchObject([{ type: "function", strict: false }]);
  });
});

describe("the adapter for google-generative-ai", () => {
  it("takes a quota that comes back soon for a rate limit", async () => {
    const details = [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "27.5s" }];
    const message = "You exceeded your current quota, please check your plan and billing details.";
    const error = { code: 429, status: "RESOURCE_EXHAUSTED", message, details };
    const { askInVain } = await setUp(google, { kind: "error", status: 429, body: { error } });
    expect(await askInVain()).toMatchObject({ reason: "rate-limited", retryAfterMs: 27_500 });
  });

  it.each([
    ["gemini-2.5-flash", { thinkingBudget: expect.any(Number) as number }],
    ["gemini-3-pro-preview", { thinkingLevel: "low" }],
  ])("sends limit and effort of %s in Gemini's own words", async (id, thinkingConfig) => {
    for (const api of [google, vertex]) {
      const { ask, lastBody } = await setUp(api);
      await ask({ model: createModel({ id, maxTokens: 64, reasoningEffort: "low" }) });
      expect(lastBody()).toMatchObject({
        generationConfig: { maxOutputTokens: 64, thinkingConfig },
      });
    }
  });
});
