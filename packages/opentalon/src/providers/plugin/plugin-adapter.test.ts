import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createManualClock, systemClock } from "../../base/clock.ts";
import { ProviderError } from "../../base/errors.ts";
import { createSecret } from "../../base/secret.ts";
import type { ModelReply } from "../../domain/model.ts";
import type { TranscriptMessage } from "../../domain/session.ts";
import { startFakeProvider } from "../../plugins/testing/start-fake-providers.ts";
import type { StartedFakeProvider } from "../../plugins/testing/start-fake-providers.ts";
import { createModel, createRequest, describeModelAdapter } from "../model-adapter.contract.ts";
import type { ModelAdapterCall, ModelCallLimits } from "../model-adapter.ts";
import { createPluginAdapter } from "./plugin-adapter.ts";

const key = "sk-plugin-0123456789";

describeModelAdapter("a provider plugin", async () => {
  const fake = await startFakeProvider();
  const adapter = createPluginAdapter({ plugin: fake.plugin, clock: systemClock });
  return {
    adapter,
    model: createModel(),
    [Symbol.asyncDispose]: async () => {
      await adapter[Symbol.asyncDispose]();
      await fake[Symbol.asyncDispose]();
    },
  };
});

describe("the adapter of provider plugins", () => {
  let fake: StartedFakeProvider;
  beforeAll(async () => {
    fake = await startFakeProvider();
  });
  afterAll(() => fake[Symbol.asyncDispose]());

  const toCall = (content: string, change: Partial<ModelAdapterCall> = {}): ModelAdapterCall => ({
    model: createModel(),
    request: createRequest({ messages: [{ role: "user", content }] }),
    credential: createSecret(key),
    signal: new AbortController().signal,
    onText: () => undefined,
    ...change,
  });
  const ask = (
    call: ModelAdapterCall,
    limits: Partial<ModelCallLimits> = {},
  ): Promise<ModelReply> =>
    createPluginAdapter({ plugin: fake.plugin, clock: systemClock, limits }).stream(call);
  const fail = async (
    call: ModelAdapterCall,
    limits: Partial<ModelCallLimits> = {},
  ): Promise<ProviderError> => {
    const error: unknown = await ask(call, limits).then(
      () => new Error("it answered"),
      (error: unknown) => error,
    );
    if (!(error instanceof ProviderError)) throw error;
    expect(error.model).toBe("test/test-model");
    return error;
  };

  it("sends the whole request, with the credential and without the session's name", async () => {
    const png = Buffer.from("89504e470d0a1a0a0000", "hex");
    const call = { id: "c1", name: "a__b", arguments: { x: 1 } };
    const messages: TranscriptMessage[] = [
      { role: "user", content: "look", files: [{ name: "p.png", mimeType: "", data: png }] },
      { role: "assistant", content: "", toolCalls: [call] },
      { role: "tool", callId: "c1", tool: "a__b", content: "boom", isError: true },
      { role: "user", content: "request" },
    ];
    const tools = [{ name: "a__b", description: "does b", inputSchema: { type: "object" } }];
    const model = createModel({ maxTokens: 9, reasoningEffort: "low", input: ["text", "image"] });
    const request = createRequest({ messages, tools });
    const { text } = await ask(toCall("", { model, request }));
    const asked = JSON.parse(text) as Record<string, unknown>;
    expect(asked).toMatchObject({
      model: "test-model",
      credential: key,
      system: "You are a test.",
      maxTokens: 9,
      reasoningEffort: "low",
      sessionKey: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      tools: [{ name: "a__b", description: "does b", inputSchemaJson: '{"type":"object"}' }],
      messages: [
        {
          user: {
            content: "look",
            files: [{ name: "p.png", mimeType: "image/png", data: png.toString("base64") }],
          },
        },
        { assistant: { toolCalls: [{ id: "c1", name: "a__b", argumentsJson: '{"x":1}' }] } },
        { tool: { callId: "c1", tool: "a__b", content: "boom", isError: true } },
        { user: { content: "request" } },
      ],
    });
    expect(text).not.toContain("console");
  });

  it("leaves tools and credential out where there are none", async () => {
    const { text } = await ask(
      toCall("request", {
        model: createModel({ nativeTools: false }),
        credential: undefined,
        request: createRequest({
          messages: [{ role: "user", content: "request" }],
          tools: [{ name: "a__b", description: "", inputSchema: {} }],
        }),
      }),
    );
    const asked = JSON.parse(text) as Record<string, unknown>;
    expect(asked["tools"]).toBeUndefined();
    expect(asked["credential"]).toBeUndefined();
  });

  it("reads tool calls like those of any provider", async () => {
    const reply = await ask(toCall("tools"));
    expect(reply).toMatchObject({
      finishReason: "tool-calls",
      toolCalls: [
        { id: "t1", name: "a__b", arguments: { x: 1 } },
        { id: "call-1", name: "", arguments: {}, invalidArguments: "no JSON" },
      ],
    });
  });

  it("books what the call cost and keeps thoughts out of the text", async () => {
    const reply = await ask(toCall("think"));
    expect(reply).toMatchObject({
      text: "Done.",
      usage: { inputTokens: 11, outputTokens: 7, cachedInputTokens: 5, reasoningTokens: 2 },
    });
  });

  it.each([
    ["RATE_LIMITED", "rate-limited"],
    ["BILLING", "billing"],
    ["UNAUTHORIZED", "unauthorized"],
    ["OVERLOADED", "overloaded"],
    ["CONTEXT_TOO_LONG", "context-too-long"],
    ["INVALID_REQUEST", "invalid-request"],
    ["CONTENT_FILTERED", "content-filtered"],
    ["UNREACHABLE", "unreachable"],
    ["TIMED_OUT", "timed-out"],
    ["BROKEN_STREAM", "broken-stream"],
    ["UNSPECIFIED", "broken-stream"],
  ])(
    "takes the reason %s for %s, with its wait and status, without the key",
    async (said, reason) => {
      const error = await fail(toCall(`fail:${said}`));
      expect(error).toMatchObject({ reason, status: 429, retryAfterMs: 1_500 });
      expect(error.message).toContain("no, not with [secret]");
      expect(error.message).not.toContain(key);
    },
  );

  it("counts an answer without an end as broken", async () => {
    expect(await fail(toCall("end"))).toMatchObject({ reason: "broken-stream" });
    const error = await fail(toCall("status"));
    expect(error.reason).toBe("broken-stream");
    expect(`${error.message} ${String(error.cause)}`).not.toContain(key);
  });

  it("bounds what a plugin may send", async () => {
    const limits = { maxReplyLength: 50_000, maxToolCalls: 3 };
    expect((await fail(toCall("flood"), limits)).message).toContain("exceeded the allowed size");
    expect((await fail(toCall("many-tools"), limits)).message).toContain("more than 3 tool calls");
  });

  it("gives up on a plugin that is silent, at the beginning or half-way", async () => {
    const limits = { firstTokenTimeoutMs: 100, idleTimeoutMs: 150, totalTimeoutMs: 20_000 };
    const silent = await fail(toCall("hang"), limits);
    expect(silent).toMatchObject({ reason: "timed-out" });
    expect(silent.message).toContain("no answer within 100 ms");
    const stalled = await fail(toCall("stall"), { ...limits, firstTokenTimeoutMs: 20_000 });
    expect(stalled.message).toContain("stopped half-way");
    const endless = { ...limits, firstTokenTimeoutMs: 20_000, totalTimeoutMs: 1_000 };
    const alive = await fail(toCall("alive"), { ...endless, idleTimeoutMs: 20_000 });
    expect(alive.message).toContain("took too long");
  });

  it("says what happened when the process ends half-way, and again when it is gone", async () => {
    await using own = await startFakeProvider();
    const adapter = createPluginAdapter({ plugin: own.plugin, clock: systemClock });
    const texts: string[] = [];
    const onText = (text: string): void => void texts.push(text);
    const lost = adapter.stream(toCall("crash", { onText }));
    await expect(lost).rejects.toMatchObject({ reason: "broken-stream" });
    expect(texts).toEqual(["Half an answer"]);
    await expect(adapter.stream(toCall("hello"))).rejects.toMatchObject({ reason: "unreachable" });
    await expect.poll(() => own.plugin.isReady(), { timeout: 15_000 }).toBe(true);
    expect((await adapter.stream(toCall("hello"))).text).toBe("You said: hello");
  });

  it("fails as unreachable while the plugin cannot be started", async () => {
    await using own = await startFakeProvider({ init: "refuse" });
    const adapter = createPluginAdapter({ plugin: own.plugin, clock: createManualClock() });
    await expect(adapter.stream(toCall("hello"))).rejects.toMatchObject({
      reason: "unreachable",
      message: expect.stringContaining("`model` is missing") as string,
    });
  });

  it("ends calls under way when it is disposed", async () => {
    const adapter = createPluginAdapter({ plugin: fake.plugin, clock: systemClock });
    const call = adapter.stream(toCall("hang"));
    await adapter[Symbol.asyncDispose]();
    await expect(call).rejects.toMatchObject({ reason: "cancelled" });
  });
});
