import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createModelServer } from "../testing/model-server.ts";
import type { ChatRequest, ModelServer, Script } from "../testing/model-server.ts";
import { createManualClock, systemClock } from "../../base/clock.ts";
import type { Clock } from "../../base/clock.ts";
import { ConfigError, ProviderError } from "../../base/errors.ts";
import { createSecret } from "../../base/secret.ts";
import type { ModelReply, ToolSpecification } from "../../domain/model.ts";
import type { TranscriptMessage } from "../../domain/session.ts";
import { createModel, createRequest, describeModelAdapter } from "../model-adapter.contract.ts";
import type { ModelAdapter, ModelAdapterCall, ModelCallLimits } from "../model-adapter.ts";
import { createOpenAiCompatibleAdapter } from "./openai-compatible-adapter.ts";

const key = "sk-test-very-secret-0123456789";
const greetTool: ToolSpecification = {
  name: "hello__greet",
  description: "Greets somebody",
  inputSchema: { type: "object", properties: { name: { type: "string" } } },
};

describeModelAdapter("openai-compatible", async () => {
  const server = await createModelServer();
  const adapter = createOpenAiCompatibleAdapter({ baseUrl: server.url, clock: systemClock });
  return {
    adapter,
    model: createModel(),
    [Symbol.asyncDispose]: async () => {
      await adapter[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
});

describe("the OpenAI-compatible adapter", () => {
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
  }

  const setUp = async (
    script: Script = { kind: "answer" },
    {
      clock = systemClock,
      limits = {},
      path = "",
    }: { clock?: Clock; limits?: Partial<ModelCallLimits>; path?: string } = {},
  ): Promise<Setup> => {
    const server = resources.use(await createModelServer(script));
    const adapter = resources.use(
      createOpenAiCompatibleAdapter({ baseUrl: server.url + path, clock, limits }),
    );
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
      return outcome;
    };
    return { server, adapter, deltas, ask, askInVain };
  };

  describe("what it sends", () => {
    it("leaves no deadline behind, whether the answer came, failed or broke off", async () => {
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
        [
          { kind: "message", text: "one two three" },
          { kind: "error", status: 500 },
          { kind: "reset", at: "mid-stream" },
          { kind: "message", text: "again" },
        ],
        { clock },
      );
      await ask();
      await askInVain();
      await askInVain();
      await ask();
      await vi.waitFor(() => expect(waiting).toBe(0));
    });

    it("is a streaming request with model, system prompt, messages and the key as bearer", async () => {
      const { server, ask } = await setUp();
      await ask();
      expect(server.requests[0]?.headers.authorization).toBe(`Bearer ${key}`);
      expect(server.requests[0]?.body).toEqual({
        model: "test-model",
        messages: [
          { role: "system", content: "You are a test." },
          { role: "user", content: "how are you today" },
        ],
        stream: true,
        stream_options: { include_usage: true },
      });
    });

    it("leaves out the key for servers that want none, and tolerates a trailing slash", async () => {
      const { server, ask } = await setUp({ kind: "answer" }, { path: "/" });
      await ask({ credential: undefined });
      expect(server.requests[0]?.headers).not.toHaveProperty("authorization");
    });

    it("holds the output limit, the reasoning effort and the tools", async () => {
      const { server, ask } = await setUp();
      const model = createModel({ maxTokens: 64, reasoningEffort: "low" });
      await ask({ model, request: createRequest({ tools: [greetTool] }) });
      expect(server.requests[0]?.body).toMatchObject({
        max_tokens: 64,
        reasoning_effort: "low",
        tools: [
          {
            type: "function",
            function: { name: "hello__greet", parameters: greetTool.inputSchema },
          },
        ],
      });
    });

    it("holds no tools for a model without native tool calls", async () => {
      const { server, ask } = await setUp();
      await ask({
        model: createModel({ nativeTools: false }),
        request: createRequest({ tools: [greetTool] }),
      });
      expect(server.requests[0]?.body).not.toHaveProperty("tools");
    });

    it("holds earlier tool calls and their results, the odd ones made valid", async () => {
      const { server, ask } = await setUp();
      const messages: TranscriptMessage[] = [
        { role: "user", content: "greet Ada" },
        {
          role: "assistant",
          content: "",
          toolCalls: [
            { id: "a", name: "hello__greet", arguments: { name: "Ada" } },
            { id: "b", name: "hello.greet now", arguments: {}, invalidArguments: '{"name": ' },
          ],
        },
        {
          role: "tool",
          callId: "a",
          tool: "hello__greet",
          content: "[plugin_output]hi[/plugin_output]",
          isError: false,
        },
        {
          role: "tool",
          callId: "b",
          tool: "hello.greet now",
          content: "error: no such tool",
          isError: true,
        },
        { role: "assistant", content: "Done.", toolCalls: [] },
        { role: "user", content: "thanks \ud800" },
      ];
      await ask({ request: createRequest({ system: "", messages }) });
      expect(server.requests[0]?.body.messages).toEqual([
        { role: "user", content: "greet Ada" },
        {
          role: "assistant",
          content: null,
          tool_calls: [
            {
              id: "a",
              type: "function",
              function: { name: "hello__greet", arguments: '{"name":"Ada"}' },
            },
            {
              id: "b",
              type: "function",
              function: {
                name: "hello_greet_now",
                arguments: String.raw`{"invalid_arguments":"{\"name\": "}`,
              },
            },
          ],
        },
        { role: "tool", tool_call_id: "a", content: "[plugin_output]hi[/plugin_output]" },
        { role: "tool", tool_call_id: "b", content: "error: no such tool" },
        { role: "assistant", content: "Done." },
        { role: "user", content: "thanks \ufffd" },
      ]);
    });

    it("learns once that a server takes no stream_options", async () => {
      const { server, ask } = await setUp((request) =>
        request.body.stream_options === undefined
          ? { kind: "answer" }
          : {
              kind: "error",
              status: 400,
              body: { error: { message: "unknown field stream_options" } },
            },
      );
      expect((await ask()).usage).toEqual({ inputTokens: 0, outputTokens: 0 });
      await ask();
      expect(server.requests.map(({ body }) => body.stream_options !== undefined)).toEqual([
        true,
        false,
        false,
      ]);
    });

    it("learns once that a server wants identifiers of nine letters and digits", async () => {
      const words = "Tool call id was call-1 but must be a-z, A-Z, 0-9, with a length of 9.";
      const isTaken = ({ messages = [] }: ChatRequest): boolean =>
        messages.every(({ tool_call_id: id = "abcdefghi" }) => /^[a-zA-Z0-9]{9}$/.test(id));
      const { server, ask } = await setUp((request) =>
        isTaken(request.body)
          ? { kind: "answer" }
          : { kind: "error", status: 400, body: { message: words } },
      );
      const messages: TranscriptMessage[] = ["call-1", "call.1", "keepsThis"].flatMap((id) => [
        { role: "assistant", content: "", toolCalls: [{ id, name: "a", arguments: {} }] },
        { role: "tool", callId: id, tool: "a", content: "done", isError: false },
      ]);
      const request = createRequest({
        messages: [{ role: "user", content: "go" }, ...messages],
      });
      await ask({ request });
      await ask({ request });
      expect(server.requests).toHaveLength(3);
      const sent = server.requests.at(-1)?.body.messages ?? [];
      const called = sent.flatMap((each) => each.tool_calls?.map(({ id }) => id) ?? []);
      const answered = sent.flatMap((each) => each.tool_call_id ?? []);
      expect(answered).toEqual(called);
      expect(new Set(answered).size).toBe(3);
      expect(answered).toContain("keepsThis");
    });

    it("learns once that a model wants max_completion_tokens", async () => {
      const refusal = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.";
      const { server, ask } = await setUp((request) =>
        request.body.max_tokens === undefined
          ? { kind: "answer" }
          : { kind: "error", status: 400, body: { error: { message: refusal } } },
      );
      await ask({ model: createModel({ maxTokens: 7 }) });
      expect(server.requests.at(-1)?.body).toMatchObject({ max_completion_tokens: 7 });
    });
  });

  describe("what it understands", () => {
    it("is text with usage", async () => {
      const { ask, deltas } = await setUp({ kind: "message", text: ["Hel", "lo, ", "wörld 🦅"] });
      expect(await ask()).toEqual({
        text: "Hello, wörld 🦅",
        toolCalls: [],
        finishReason: "stop",
        usage: { inputTokens: 12, outputTokens: 5 },
        model: "test/test-model",
      });
      expect(deltas).toEqual(["Hel", "lo, ", "wörld 🦅"]);
    });

    it("is an answer whose bytes come one at a time, characters split", async () => {
      const event = `data: ${JSON.stringify({ choices: [{ delta: { content: "ä🦅" }, finish_reason: "stop" }] })}\r\n\r\n`;
      const { port, close } = await serveBytes(event);
      resources.defer(close);
      const adapter = resources.use(
        createOpenAiCompatibleAdapter({
          baseUrl: `http://127.0.0.1:${port}/v1`,
          clock: systemClock,
        }),
      );
      const reply = await adapter.stream({
        model: createModel(),
        request: createRequest(),
        credential: undefined,
        signal: new AbortController().signal,
        onText: () => undefined,
      });
      expect(reply.text).toBe("ä🦅");
    });

    it("bounds what the server says it counted", async () => {
      const usage = { prompt: 1e30, completion: 4.5 };
      const { ask } = await setUp({ kind: "message", text: "hi", usage });
      expect((await ask()).usage).toEqual({ inputTokens: 1_000_000_000, outputTokens: 4 });
    });

    it.each([
      [
        "as part of input and output",
        {
          prompt_tokens: 100,
          completion_tokens: 20,
          total_tokens: 120,
          prompt_tokens_details: { cached_tokens: 60 },
          completion_tokens_details: { reasoning_tokens: 8 },
        },
      ],
      [
        "beside the output",
        {
          prompt_tokens: 100,
          completion_tokens: 12,
          total_tokens: 120,
          prompt_tokens_details: { cached_tokens: 60 },
          completion_tokens_details: { reasoning_tokens: 8 },
        },
      ],
      [
        "under another name",
        {
          prompt_tokens: 100,
          completion_tokens: 20,
          prompt_cache_hit_tokens: 60,
          prompt_cache_miss_tokens: 40,
          completion_tokens_details: { reasoning_tokens: 8 },
        },
      ],
    ])("counts cached and reasoning tokens that a server tells %s", async (_how, usage) => {
      const choices = [{ index: 0, delta: { content: "hi" }, finish_reason: "stop" }];
      const parts = [
        `data: ${JSON.stringify({ choices })}\n\n`,
        `data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`,
      ];
      const { ask } = await setUp({ kind: "raw", parts });
      expect((await ask()).usage).toEqual({
        inputTokens: 100,
        outputTokens: 20,
        cachedInputTokens: 60,
        reasoningTokens: 8,
      });
    });

    it("counts missing usage as zero", async () => {
      const { ask } = await setUp({ kind: "message", text: "hi", usage: null });
      expect((await ask()).usage).toEqual({ inputTokens: 0, outputTokens: 0 });
    });

    it("is several tool calls, their arguments split over deltas", async () => {
      const { ask } = await setUp({
        kind: "message",
        text: "Let me see.",
        toolCalls: [
          { name: "hello__greet", arguments: { name: "Ada" } },
          { id: "mine", name: "clock__now", arguments: "" },
        ],
      });
      expect(await ask()).toMatchObject({
        text: "Let me see.",
        finishReason: "tool-calls",
        toolCalls: [
          { id: "call_1", name: "hello__greet", arguments: { name: "Ada" } },
          { id: "mine", name: "clock__now", arguments: {} },
        ],
      });
    });

    it.each(['{"name": "Ada"', "[1, 2]", '"text"', "null", "42"])(
      "marks argument text that is no JSON object: %s",
      async (text) => {
        const { ask } = await setUp({
          kind: "message",
          toolCalls: [{ name: "hello__greet", arguments: text }],
        });
        expect((await ask()).toolCalls).toEqual([
          { id: "call_1", name: "hello__greet", arguments: {}, invalidArguments: text },
        ]);
      },
    );

    it("gives calls without an identifier one that is new to the conversation", async () => {
      const { ask } = await setUp({
        kind: "message",
        toolCalls: [
          { id: null, name: "a__b", arguments: {} },
          { id: null, name: "a__c", arguments: {} },
          { id: "seen", name: "a__d", arguments: {} },
          { id: "x".repeat(41), name: "a__e", arguments: {} },
        ],
      });
      const toolCalls = ["call-1", "seen"].map((id) => ({ id, name: "a__b", arguments: {} }));
      const messages: TranscriptMessage[] = [{ role: "assistant", content: "", toolCalls }];
      const reply = await ask({ request: createRequest({ messages }) });
      expect(reply.toolCalls.map(({ id }) => id)).toEqual(["call-2", "call-3", "call-4", "call-5"]);
    });

    it("is tool calls whose pieces carry no index", async () => {
      const toDelta = (call: unknown): string =>
        `data: ${JSON.stringify({ choices: [{ delta: { tool_calls: [call] } }] })}\n\n`;
      const { ask } = await setUp({
        kind: "raw",
        parts: [
          toDelta({ id: "a", function: { name: "one__two", arguments: '{"x":' } }),
          toDelta({ function: { arguments: "1}" } }),
          toDelta({ id: "b", function: { name: "one__two", arguments: { y: 2 } } }),
          'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
        ],
      });
      expect((await ask()).toolCalls).toEqual([
        { id: "a", name: "one__two", arguments: { x: 1 } },
        { id: "b", name: "one__two", arguments: { y: 2 } },
      ]);
    });

    it("is a whole completion from a server that does not stream", async () => {
      const body = {
        choices: [{ message: { content: "at once" }, finish_reason: "stop" }],
        usage: { prompt_tokens: 3 },
      };
      const { ask, deltas } = await setUp({
        kind: "raw",
        contentType: "application/json",
        parts: [JSON.stringify(body)],
      });
      expect(await ask()).toMatchObject({
        text: "at once",
        usage: { inputTokens: 3, outputTokens: 0 },
      });
      expect(deltas).toEqual(["at once"]);
    });

    it.each([
      ["length", "length"],
      ["content_filter", "content-filter"],
      ["something-new", "other"],
    ])("reads the finish reason %s as %s", async (raw, expected) => {
      const { ask } = await setUp({ kind: "message", text: "partial", finishReason: raw });
      expect((await ask()).finishReason).toBe(expected);
    });

    it("ends with [DONE] although the server keeps the connection open", async () => {
      const parts = [
        'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n',
        "data: [DONE]\n\n",
      ];
      const { ask } = await setUp({ kind: "raw", parts, end: false });
      expect((await ask()).text).toBe("hi");
    });
  });

  describe("how it classifies", () => {
    it.each([
      [429, {}, "rate-limited"],
      [
        429,
        { error: { code: "insufficient_quota", message: "You exceeded your current quota" } },
        "billing",
      ],
      [402, {}, "billing"],
      [400, { error: { message: "Your credit balance is too low" } }, "billing"],
      [401, {}, "unauthorized"],
      [403, {}, "unauthorized"],
      [
        400,
        { error: { message: "API key not valid. Please pass a valid API key." } },
        "unauthorized",
      ],
      [
        404,
        { error: { message: "The model `x` does not exist", code: "model_not_found" } },
        "invalid-request",
      ],
      [400, { error: { message: "bad", code: "context_length_exceeded" } }, "context-too-long"],
      [
        400,
        { error: { message: "This model's maximum context length is 8192 tokens" } },
        "context-too-long",
      ],
      [413, "too large", "context-too-long"],
      [400, { object: "error", message: "prompt is too long", code: 400 }, "context-too-long"],
      [400, { error: { message: "no", code: "content_filter" } }, "content-filtered"],
      [400, { error: { message: "temperature must be a number" } }, "invalid-request"],
      [422, { detail: "nope" }, "invalid-request"],
      [302, "", "invalid-request"],
      [408, "", "timed-out"],
      [500, "<html>Internal error</html>", "overloaded"],
      [503, "", "overloaded"],
      [529, { error: { type: "overloaded_error", message: "Overloaded" } }, "overloaded"],
    ] as const)("status %i with %j as %s", async (status, body, reason) => {
      const { askInVain } = await setUp({ kind: "error", status, body });
      expect(await askInVain()).toMatchObject({ reason, status, model: "test/test-model" });
    });

    it.each([
      [{ "retry-after": "7" }, 7_000],
      [{ "retry-after-ms": "250", "retry-after": "9" }, 250],
      [{ "retry-after": new Date(1_700_000_030_000).toUTCString() }, 30_000],
      [{ "retry-after": "86400" }, 3_600_000],
      [{ "retry-after": "soon" }, undefined],
    ] as const)("the wait in %j", async (headers, retryAfterMs) => {
      const { askInVain } = await setUp(
        { kind: "error", status: 429, headers },
        { clock: createManualClock() },
      );
      expect((await askInVain()).retryAfterMs).toBe(retryAfterMs);
    });

    it.each([
      [{ error: { message: "upstream busy", code: 502 } }, "overloaded"],
      [{ error: { message: "slow down", type: "rate_limit_error" } }, "rate-limited"],
      [{ error: { message: "bad key", type: "authentication_error" } }, "unauthorized"],
      [{ error: "model runner has unexpectedly stopped" }, "broken-stream"],
    ] as const)(
      "a 200 that carries the error %j, and the same inside a stream",
      async (body, reason) => {
        const { askInVain, server, deltas } = await setUp({
          kind: "raw",
          contentType: "application/json",
          parts: [JSON.stringify(body)],
        });
        expect(await askInVain()).toMatchObject({ reason });
        const text = 'data: {"choices":[{"delta":{"content":"half"}}]}\n\n';
        server.setScript({
          kind: "raw",
          parts: [text, `event: error\ndata: ${JSON.stringify(body)}\n\n`],
        });
        expect(await askInVain()).toMatchObject({ reason });
        expect(deltas).toEqual(["half"]);
      },
    );

    it("a server that is not there as unreachable", async () => {
      const { server, askInVain } = await setUp();
      await server[Symbol.asyncDispose]();
      const error = await askInVain();
      expect(error.reason).toBe("unreachable");
      expect(error.message).toContain("ECONNREFUSED");
    });

    it("a reset before the answer as unreachable, inside the answer as broken-stream", async () => {
      const { server, askInVain, deltas } = await setUp({ kind: "reset", at: "headers" });
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
      [
        "a stream that ends without finish",
        ['data: {"choices":[{"delta":{"content":"half"}}]}\n\n'],
      ],
      ["nothing but the end", ["data: [DONE]\n\n"]],
    ])("%s as broken-stream", async (_name, parts) => {
      const { askInVain } = await setUp({ kind: "raw", parts });
      expect(await askInVain()).toMatchObject({ reason: "broken-stream" });
    });

    it("a web page as broken-stream that names base_url", async () => {
      const { askInVain } = await setUp({
        kind: "raw",
        contentType: "text/html",
        parts: ["<html></html>"],
      });
      const error = await askInVain();
      expect(error.reason).toBe("broken-stream");
      expect(error.message).toContain("base_url");
    });

    it("an answer the filter withheld entirely as content-filtered", async () => {
      const { askInVain } = await setUp({ kind: "message", finishReason: "content_filter" });
      expect(await askInVain()).toMatchObject({ reason: "content-filtered" });
    });

    it("a key that cannot be sent as unauthorized, without showing it", async () => {
      const { askInVain } = await setUp();
      const error = await askInVain({ credential: createSecret("sk-broken\nkey-12345") });
      expect(error.reason).toBe("unauthorized");
      expect(inspect(error, { depth: 9 })).not.toContain("key-12345");
    });
  });

  describe("its deadlines", () => {
    it.each(["headers", "first-token"] as const)("end a call that stalls before %s", async (at) => {
      const clock = createManualClock();
      const { server, askInVain } = await setUp({ kind: "stall", at }, { clock });
      const failed = askInVain();
      await vi.waitFor(() => expect(server.requests).toHaveLength(1));
      clock.advance(60_000);
      expect(await failed).toMatchObject({ reason: "timed-out" });
      await server.requests[0]?.closed;
      expect(server.requests[0]?.closedEarly()).toBe(true);
    });

    it("end a call that stalls inside the answer", async () => {
      const clock = createManualClock();
      const limits = { idleTimeoutMs: 5_000 };
      const { server, askInVain, deltas } = await setUp(
        { kind: "stall", at: "mid-stream", text: "one two" },
        { clock, limits },
      );
      const failed = askInVain();
      await vi.waitFor(() => expect(deltas.join("")).toBe("one two"));
      clock.advance(5_000);
      const error = await failed;
      expect(error.reason).toBe("timed-out");
      expect(error.message).toContain("half-way");
      await server.requests[0]?.closed;
    });

    it("end an answer that never ends", async () => {
      const { askInVain } = await setUp(
        {
          kind: "message",
          text: Array.from({ length: 1_000 }, () => "x"),
          delayBetweenChunksMs: 5,
        },
        { limits: { totalTimeoutMs: 100 } },
      );
      expect((await askInVain()).message).toContain("took too long");
    });
  });

  describe("its limits", () => {
    it("refuse an answer that is too long and close the connection", async () => {
      const { server, askInVain } = await setUp(
        {
          kind: "raw",
          parts: ['data: {"choices":[{"delta":{"content":"0123456789x"}}]}\n\n'],
          end: false,
        },
        { limits: { maxReplyLength: 10 } },
      );
      expect((await askInVain()).message).toContain("size");
      await server.requests[0]?.closed;
    });

    it("refuse tool arguments that are too long", async () => {
      const { askInVain } = await setUp(
        { kind: "message", toolCalls: [{ name: "a__b", arguments: { text: "x".repeat(200) } }] },
        { limits: { maxReplyLength: 100 } },
      );
      expect(await askInVain()).toMatchObject({ reason: "broken-stream" });
    });

    it("refuse more tool calls than allowed", async () => {
      const toolCalls = Array.from({ length: 129 }, (_, index) => ({
        name: `a__b${index}`,
        arguments: {},
      }));
      const { askInVain } = await setUp({ kind: "message", toolCalls });
      expect((await askInVain()).message).toContain("128");
    });

    it("refuse an event without end", async () => {
      const { askInVain } = await setUp({
        kind: "raw",
        parts: Array.from({ length: 9 }, () =>
          `data: ${"x".repeat(1024 * 1024)}`.slice(0, 1024 * 1024),
        ),
        end: false,
      });
      expect((await askInVain()).message).toContain("oversized");
    });

    it("know a refusal by its status when its page breaks off", async () => {
      const head =
        "HTTP/1.1 401 No\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n";
      const server = createServer((socket) => {
        socket.on("error", () => undefined);
        socket.once("data", () => socket.write(`${head}{"error":`, () => socket.resetAndDestroy()));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      resources.defer(() => void server.close());
      const { port } = server.address() as AddressInfo;
      const baseUrl = `http://127.0.0.1:${port}/v1`;
      const adapter = resources.use(createOpenAiCompatibleAdapter({ baseUrl, clock: systemClock }));
      const asked = adapter.stream({
        model: createModel(),
        request: createRequest(),
        credential: createSecret(key),
        signal: new AbortController().signal,
        onText: () => undefined,
      });
      await expect(asked).rejects.toMatchObject({ reason: "unauthorized", status: 401 });
    });

    it("outlive an error that is nested without end", async () => {
      const depth = 10_000;
      const body = `{"error":${'{"0":'.repeat(depth)}1${"}".repeat(depth)}}`;
      const { server, askInVain } = await setUp({ kind: "error", status: 500, body });
      expect(await askInVain()).toMatchObject({ reason: "overloaded", status: 500 });
      server.setScript({ kind: "raw", parts: [`data: ${body}\n\n`] });
      expect(await askInVain()).toMatchObject({ reason: "broken-stream" });
    });

    it("cut an endless error page", async () => {
      const { askInVain } = await setUp({
        kind: "error",
        status: 500,
        body: "y".repeat(1024 * 1024),
      });
      const error = await askInVain();
      expect(error.reason).toBe("overloaded");
      expect(error.message.length).toBeLessThan(500);
    });
  });

  describe("its error texts", () => {
    it("hold what the provider said on one line, without the key", async () => {
      const { askInVain } = await setUp({
        kind: "error",
        status: 401,
        body: { error: { message: `Incorrect API key provided:\n${key}. ${"x".repeat(400)}` } },
      });
      const error = await askInVain();
      expect(error.message).toContain("Incorrect API key provided: [secret].");
      expect(error.message).not.toContain("\n");
      expect(error.message.length).toBeLessThan(400);
      expect(inspect(error, { depth: 9 })).not.toContain(key);
    });

    it("hold no half of a key that stands where the text is cut", async () => {
      const { askInVain } = await setUp({
        kind: "error",
        status: 400,
        body: `${"z".repeat(290)}${key}`,
      });
      expect((await askInVain()).message).not.toContain("sk-test");
    });

    it("hold nothing secret when the stream is malformed or the server is gone", async () => {
      const { server, askInVain } = await setUp({ kind: "raw", parts: [`data: oops ${key}\n\n`] });
      expect(inspect(await askInVain(), { depth: 9 })).not.toContain(key);
      await server[Symbol.asyncDispose]();
      expect(inspect(await askInVain(), { depth: 9 })).not.toContain(key);
    });
  });

  describe("its connections", () => {
    it("are kept from call to call, also after a refusal", async () => {
      const { server, ask, askInVain } = await setUp([
        { kind: "answer" },
        { kind: "error", status: 429 },
        { kind: "answer" },
      ]);
      await ask();
      await askInVain();
      await ask();
      await ask();
      expect(server.connections()).toBe(1);
    });

    it("are closed when a call is cancelled, and the server sees it", async () => {
      const { server, askInVain, deltas } = await setUp({ kind: "stall", at: "mid-stream" });
      const abort = new AbortController();
      const failed = askInVain({ signal: abort.signal });
      await vi.waitFor(() => expect(deltas).not.toEqual([]));
      abort.abort();
      expect((await failed).reason).toBe("cancelled");
      await server.requests[0]?.closed;
      expect(server.requests[0]?.closedEarly()).toBe(true);
      await vi.waitFor(() => expect(server.openConnections()).toBe(0));
    });

    it("are replaced at once when the server closed one in the meantime", async () => {
      const { server, ask } = await setUp((request) =>
        request.index === 1 ? { kind: "reset", at: "headers" } : { kind: "answer" },
      );
      await ask();
      expect((await ask()).text).toBe("answer: how are you today");
      expect(server.requests).toHaveLength(3);
    });

    it("are not replaced when one breaks inside an answer, or text would be told twice", async () => {
      const { server, ask, askInVain, deltas } = await setUp([
        { kind: "message", text: ["first"] },
        { kind: "reset", at: "mid-stream", text: "half" },
      ]);
      await ask();
      expect(await askInVain()).toMatchObject({ reason: "broken-stream" });
      expect(server.requests.map(({ connection }) => connection)).toEqual([1, 1]);
      expect(deltas).toEqual(["first", "half"]);
    });

    it("are no more than allowed; further calls wait", async () => {
      const { server } = await setUp();
      const adapter = resources.use(
        createOpenAiCompatibleAdapter({
          baseUrl: server.url,
          clock: systemClock,
          maxConnections: 2,
        }),
      );
      const call = {
        model: createModel(),
        request: createRequest(),
        credential: undefined,
        signal: new AbortController().signal,
        onText: () => undefined,
      };
      await Promise.all(Array.from({ length: 12 }, () => adapter.stream(call)));
      expect(server.requests).toHaveLength(12);
      expect(server.connections()).toBe(2);
    });

    it("are gone when the adapter is, and calls under way end", async () => {
      const { server, adapter, ask, askInVain } = await setUp();
      await Promise.all([ask(), ask(), ask()]);
      server.setScript({ kind: "stall", at: "headers" });
      const failed = askInVain();
      await vi.waitFor(() => expect(server.requests).toHaveLength(4));
      await adapter[Symbol.asyncDispose]();
      expect((await failed).reason).toBe("cancelled");
      await vi.waitFor(() => expect(server.openConnections()).toBe(0));
    });
  });

  it("refuses a base_url that is no web address when it is created", () => {
    expect(() =>
      createOpenAiCompatibleAdapter({ baseUrl: "localhost:1234", clock: systemClock }),
    ).toThrow(ConfigError);
  });
});

/** A server that sends its answer one byte at a time. */
async function serveBytes(event: string): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
    socket.once("data", () => {
      socket.write(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n",
      );
      const bytes = Buffer.from(event, "utf8");
      const next = (index: number): void => {
        if (index === bytes.length) socket.end();
        else socket.write(bytes.subarray(index, index + 1), () => setImmediate(next, index + 1));
      };
      next(0);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
