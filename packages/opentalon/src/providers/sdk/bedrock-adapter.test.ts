import { inspect } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { ConfigError, ProviderError } from "../../base/errors.ts";
import { createSecret } from "../../base/secret.ts";
import type { Model, ModelReply } from "../../domain/model.ts";
import { createBedrockAdapter } from "./bedrock-adapter.ts";
import { createAwsCredential } from "../credentials/cloud-credentials.ts";
import { createModel, createRequest } from "../model-adapter.contract.ts";
import type { ModelAdapterCall } from "../model-adapter.ts";
import { createModelServer } from "../testing/model-server.ts";
import type { ModelServer, Script } from "../testing/model-server.ts";
import { bedrockConverse, toAwsFrame } from "../testing/wire-format.ts";

const secretAccessKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

let resources = new AsyncDisposableStack();
afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

interface Setup {
  readonly server: ModelServer;
  readonly ask: (change?: Partial<ModelAdapterCall>) => Promise<ModelReply>;
  readonly askInVain: (change?: Partial<ModelAdapterCall>) => Promise<ProviderError>;
  readonly lastBody: () => unknown;
}

async function setUp(script: Script = { kind: "answer" }): Promise<Setup> {
  const server = resources.use(await createModelServer(script, { wire: bedrockConverse }));
  const cloud = { region: "eu-central-1", project: "", location: "" };
  const adapter = resources.use(
    createBedrockAdapter({ baseUrl: server.url, cloud, clock: systemClock }),
  );
  const ask = (change: Partial<ModelAdapterCall> = {}): Promise<ModelReply> =>
    adapter.stream({
      model: createModel(),
      request: createRequest(),
      credential: createSecret("bedrock-api-key-0123456789"),
      signal: new AbortController().signal,
      onText: () => undefined,
      ...change,
    });
  return {
    server,
    ask,
    askInVain: async (change) => {
      const outcome: unknown = await ask(change).catch((error: unknown) => error);
      if (!(outcome instanceof ProviderError))
        throw new Error(`expected a ProviderError, got ${inspect(outcome)}`);
      return outcome;
    },
    lastBody: () => server.requests.at(-1)?.body,
  };
}

const claude = createModel({ id: "eu.anthropic.claude-sonnet-4-5-20250929-v1:0" });

describe("the adapter for Amazon Bedrock", () => {
  it("signs with the keys of an account, and sends neither key", async () => {
    const { server, ask } = await setUp();
    const keys = { accessKeyId: "AKIDEXAMPLE", secretAccessKey, sessionToken: "lent-token" };
    await ask({ credential: createAwsCredential(keys), model: claude });
    const { headers, path } = server.requests[0] ?? {};
    expect(path).toBe(`/model/${encodeURIComponent(claude.id)}/converse-stream`);
    expect(headers?.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-central-1\/bedrock\/aws4_request, /,
    );
    expect(headers?.["x-amz-security-token"]).toBe("lent-token");
    expect(inspect(headers)).not.toContain(secretAccessKey);
  });

  it("marks the prompt for the cache only where the model takes the mark", async () => {
    const { ask, lastBody } = await setUp();
    const cachePoint = { type: "default" };
    await ask({ model: claude });
    expect(lastBody()).toMatchObject({
      system: [{ text: "You are a test." }, { cachePoint }],
      messages: [{ content: [{ text: "how are you today" }, { cachePoint }] }],
    });
    await ask({ model: createModel({ id: "meta.llama3-3-70b-instruct-v1:0" }) });
    expect(JSON.stringify(lastBody())).not.toContain("cachePoint");
  });

  it.each<[Partial<Model>, unknown]>([
    [
      { id: claude.id, reasoningEffort: "low" },
      { additionalModelRequestFields: { thinking: { type: "enabled" } } },
    ],
    [
      { id: "us.amazon.nova-2-lite-v1:0", reasoningEffort: "low" },
      { additionalModelRequestFields: { reasoningConfig: { maxReasoningEffort: "low" } } },
    ],
    [
      { id: "meta.llama3-3-70b-instruct-v1:0", maxTokens: 64 },
      { inferenceConfig: { maxTokens: 64 } },
    ],
  ])("sends limit and effort of %j in the model's own words", async (change, expected) => {
    const { ask, lastBody } = await setUp();
    await ask({ model: createModel(change) });
    expect(lastBody()).toMatchObject(expected as object);
  });

  it("gives back what the model thought before its calls", async () => {
    const toEvent = (type: string, event: unknown): string =>
      toAwsFrame({ ":event-type": type, ":message-type": "event" }, event);
    const thought = (reasoningContent: unknown): string =>
      toEvent("contentBlockDelta", { contentBlockIndex: 0, delta: { reasoningContent } });
    const writer = bedrockConverse.createWriter();
    const parts = [
      writer.begin(),
      thought({ text: "Ada it is." }),
      thought({ signature: "signed" }),
      toEvent("contentBlockStop", { contentBlockIndex: 0 }),
      writer.text(""),
      writer.toolCall({ id: "call_1", name: "hello__greet", arguments: "{}" }),
      writer.end(undefined, { prompt: 1, completion: 1, cached: 0, written: 0, reasoning: 0 }),
    ];
    const { ask, lastBody } = await setUp([{ kind: "raw", parts }, { kind: "answer" }]);
    const model = { ...claude, reasoningEffort: "low" };
    const tools = [{ name: "hello__greet", description: "", inputSchema: { type: "object" } }];
    const question = { role: "user", content: "greet" } as const;
    const { text, toolCalls } = await ask({
      model,
      request: createRequest({ tools, messages: [question] }),
    });
    const messages = [
      question,
      { role: "assistant", content: text, toolCalls },
      { role: "tool", callId: "call_1", tool: "hello__greet", content: "hi", isError: false },
    ] as const;
    await ask({ model, request: createRequest({ tools, messages }) });
    const reasoningText = { text: "Ada it is.", signature: "signed" };
    expect(lastBody()).toMatchObject({
      additionalModelRequestFields: { thinking: { type: "enabled" } },
      messages: [{}, { content: [{ reasoningContent: { reasoningText } }, {}] }, {}],
    });
  });

  it("reads frames in whatever pieces they come", async () => {
    const writer = bedrockConverse.createWriter();
    const usage = { prompt: 3, completion: 2, cached: 0, written: 0, reasoning: 0 };
    const bytes = [
      writer.begin(),
      writer.text("wör"),
      writer.text("ld"),
      writer.end(undefined, usage),
    ];
    const parts = bytes.join("").match(/[^]{1,3}/g) ?? [];
    const { ask } = await setUp({ kind: "raw", parts });
    expect(await ask()).toMatchObject({
      text: "wörld",
      usage: { inputTokens: 3, outputTokens: 2 },
    });
  });

  it.each([
    [400, "ValidationException", "Input is too long for requested model.", "context-too-long"],
    [400, "ValidationException", "The provided model identifier is invalid.", "invalid-request"],
    [403, "AccessDeniedException", "You don't have access to the model.", "unauthorized"],
    [
      403,
      "UnrecognizedClientException",
      "The security token included in the request is invalid.",
      "unauthorized",
    ],
    [404, "ResourceNotFoundException", "Could not resolve the model.", "invalid-request"],
    [408, "ModelTimeoutException", "Model has timed out in processing the request.", "timed-out"],
    [424, "ModelErrorException", "The system encountered an unexpected error.", "overloaded"],
    [
      429,
      "ThrottlingException",
      "Too many tokens, please wait before trying again.",
      "rate-limited",
    ],
    [429, "ModelNotReadyException", "Model is not ready.", "rate-limited"],
    [500, "InternalServerException", "Try again.", "overloaded"],
    [503, "ServiceUnavailableException", "Too busy.", "overloaded"],
  ] as const)("takes %i %s (%s) for %s", async (status, type, message, reason) => {
    const headers = { "x-amzn-errortype": `${type}:http://internal.amazon.com/` };
    const { askInVain } = await setUp({ kind: "error", status, headers, body: { message } });
    expect(await askInVain()).toMatchObject({ reason, status });
  });

  it.each([
    ["throttlingException", "Too many requests", "rate-limited"],
    ["validationException", "Input is too long", "context-too-long"],
    ["modelStreamErrorException", "The model stumbled", "overloaded"],
    ["serviceUnavailableException", "Busy", "overloaded"],
  ])("takes %s inside the answer (%s) for %s", async (type, message, reason) => {
    const frame = toAwsFrame(
      {
        ":message-type": "exception",
        ":exception-type": type,
        ":content-type": "application/json",
      },
      { message },
    );
    const writer = bedrockConverse.createWriter();
    const parts = [writer.begin(), writer.text("half"), frame];
    const { askInVain } = await setUp({ kind: "raw", parts });
    expect(await askInVain()).toMatchObject({ reason });
  });

  it("takes an answer that was damaged or cut on its way for broken-stream", async () => {
    const writer = bedrockConverse.createWriter();
    const whole = [writer.begin(), writer.text("half")].join("");
    const last = whole.length - 1;
    const damaged = `${whole.slice(0, last)}${whole.at(-1) === "x" ? "y" : "x"}`;
    const { server, askInVain } = await setUp({ kind: "raw", parts: [damaged] });
    expect((await askInVain()).reason).toBe("broken-stream");
    server.setScript({ kind: "raw", parts: [whole.slice(0, last)] });
    expect((await askInVain()).reason).toBe("broken-stream");
  });

  it("says when nothing tells the region", () => {
    const create = (region: string): unknown =>
      createBedrockAdapter({ cloud: { region, project: "", location: "" }, clock: systemClock });
    for (const region of ["", "us east", "evil.example/"])
      expect(() => create(region)).toThrow(ConfigError);
  });
});
