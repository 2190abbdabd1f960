import type { ChildProcessByStdio } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { ClientReadableStream, MethodDefinition } from "@grpc/grpc-js";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import {
  parseHandshake,
  providerMessages as messages,
  providerServiceMethods as methods,
} from "@opentalon/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sourceArguments } from "./testing/source-arguments.ts";

const script = fileURLToPath(new URL("testing/echo-provider.ts", import.meta.url));

describe("a plugin made with serveProvider", () => {
  let temporary: string;
  let plugin: ChildProcessByStdio<null, Readable, Readable>;
  let client: Client;
  const output: string[] = [];
  let errors = "";

  beforeAll(async () => {
    temporary = mkdtempSync(join(tmpdir(), "t-"));
    plugin = spawn(process.execPath, [...sourceArguments, script], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ["ignore", "pipe", "pipe"],
    });
    plugin.stderr.on("data", (text: Buffer) => (errors += text.toString()));
    const lines = createInterface({ input: plugin.stdout });
    lines.on("line", (line) => output.push(line));
    await once(lines, "line");
    const { address } = parseHandshake(output[0] ?? "");
    client = new Client(`unix:${address}`, credentials.createInsecure());
  });

  afterAll(async () => {
    client.close();
    if (plugin.exitCode === null && plugin.signalCode === null) {
      plugin.kill("SIGKILL");
      await once(plugin, "exit");
    }
    rmSync(temporary, { recursive: true });
  });

  const call = <Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
  ): Promise<Response> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        new Metadata(),
        (error, response) =>
          error === null && response !== undefined
            ? resolve(response)
            : reject(error ?? new Error("no response")),
      );
    });
  const open = (
    content: string,
    change: MessageInitShape<typeof messages.CompleteRequestSchema> = {},
  ): ClientReadableStream<messages.CompleteEvent> => {
    const { path, requestSerialize, responseDeserialize } = methods.complete;
    const kind = { case: "user", value: { content } } as const;
    const request = create(messages.CompleteRequestSchema, {
      model: "big",
      messages: [{ kind }],
      ...change,
    });
    return client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  };
  type Kind = messages.CompleteEvent["kind"];
  const ask = async (
    content: string,
    change: MessageInitShape<typeof messages.CompleteRequestSchema> = {},
  ): Promise<readonly Kind[]> => {
    const kinds: Kind[] = [];
    for await (const event of open(content, change))
      kinds.push((event as messages.CompleteEvent).kind);
    return kinds;
  };
  const textOf = (kinds: readonly Kind[]): string =>
    kinds.map((kind) => (kind.case === "textDelta" ? kind.value : "")).join("");

  test("says only where it listens on standard output, whatever its author prints", async () => {
    await ask("everything");
    expect(output).toHaveLength(1);
    expect(errors).toContain("before serving");
    await expect.poll(() => errors, { timeout: 10_000 }).toContain("thinking");
  });

  test("tells its models, and why it cannot", async () => {
    const { models } = await call(methods.models, create(messages.ModelsRequestSchema));
    expect(models).toMatchObject([
      {
        id: "big",
        contextWindow: 8_000,
        maxTokens: 100,
        inputCost: 1,
        outputCost: 2,
        cachedInputCost: 0.1,
        cacheWriteCost: 1.25,
        input: ["image"],
        features: ["tools"],
      },
      { id: "small", contextWindow: 0, inputCost: 0, features: ["text"] },
    ]);
    const request = create(messages.ModelsRequestSchema, { credential: "bad" });
    await expect(call(methods.models, request)).rejects.toMatchObject({
      details: "models: the service lists nothing for this credential",
    });
  });

  test("takes its configuration, and can refuse it", async () => {
    const configure = (configJson: string) =>
      call(methods.init, create(messages.InitRequestSchema, { configJson }));
    await configure('{"greeting":"hi"}');
    expect(textOf(await ask("greeting"))).toBe("hi");
    for (const wrong of ['{"fail":true}', "[]", "{"])
      await expect(configure(wrong)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  test("hands the whole question to its author", async () => {
    const kinds = await ask("request", {
      credential: "sk-1",
      system: "Be brief.",
      maxTokens: 9,
      sessionKey: "s1",
      tools: [{ name: "a__b", description: "does b", inputSchemaJson: '{"type":"object"}' }],
      messages: [
        {
          kind: {
            case: "assistant",
            value: { toolCalls: [{ id: "c1", name: "a__b", argumentsJson: '{"x":1}' }] },
          },
        },
        { kind: { case: "tool", value: { callId: "c1", tool: "a__b", content: "2" } } },
        { kind: { case: "user", value: { content: "request" } } },
      ],
    });
    expect(JSON.parse(textOf(kinds))).toEqual({
      model: "big",
      credential: "sk-1",
      system: "Be brief.",
      maxTokens: 9,
      sessionKey: "s1",
      tools: [{ name: "a__b", description: "does b", inputSchema: { type: "object" } }],
      messages: [
        {
          role: "assistant",
          content: "",
          toolCalls: [{ id: "c1", name: "a__b", arguments: { x: 1 } }],
        },
        { role: "tool", callId: "c1", tool: "a__b", content: "2", isError: false },
        { role: "user", content: "request", files: [] },
      ],
    });
  });

  test("sends every kind of piece, and says by itself how the answer ended", async () => {
    const kinds = await ask("everything");
    expect(kinds).toMatchObject([
      { case: "reasoningDelta", value: "Hm." },
      { case: "textDelta", value: "Half" },
      { case: "toolCall", value: { id: "t1", name: "a__b", argumentsJson: '{"x":1}' } },
      { case: "toolCall", value: { id: "", argumentsJson: '{"x":2}' } },
      { case: "usage", value: { inputTokens: 10n, outputTokens: 6n, reasoningTokens: 1n } },
      { case: "finish", value: { reason: messages.FinishReason.TOOL_CALLS } },
    ]);
    const { STOP, LENGTH } = messages.FinishReason;
    expect((await ask("hello")).at(-1)).toMatchObject({ value: { reason: STOP } });
    expect(await ask("cut")).toMatchObject([{ case: "finish", value: { reason: LENGTH } }]);
  });

  test.each([
    ["limit", { reason: messages.FailureReason.RATE_LIMITED, retryAfterMs: 1_500, status: 429 }],
    ["bug", { reason: messages.FailureReason.BROKEN_STREAM, message: "x is not a function" }],
    ["timeout", { reason: messages.FailureReason.TIMED_OUT }],
    ["connection", { reason: messages.FailureReason.UNREACHABLE }],
    ["nonsense", { reason: messages.FailureReason.BROKEN_STREAM }],
  ])("sends what was thrown as a failure: %s", async (content, failure) => {
    const kinds = await ask(content);
    expect(kinds.at(-1)).toMatchObject({ case: "failure", value: failure });
  });

  test.each(["wait", "deaf"])("stops when its caller gives up: %s", async (content) => {
    const stream = open(content);
    stream.on("error", () => undefined);
    await once(stream, "data");
    stream.cancel();
    if (content === "wait")
      await expect.poll(() => errors, { timeout: 10_000 }).toContain("gave up");
    expect(textOf(await ask("hello"))).toBe("hello");
  });

  test("waits for a caller that reads slowly", async () => {
    const stream = open("flood");
    stream.on("error", () => undefined);
    await once(stream, "readable");
    await expect.poll(() => errors, { timeout: 10_000 }).toContain("piece 0\n");
    // Others are served meanwhile, and nothing piles up.
    for (let round = 0; round < 20; round += 1) await ask("hello");
    expect(errors).not.toContain("piece 1000\n");
    stream.cancel();
  });

  test("ends on SIGINT in good order and removes its socket", async () => {
    plugin.kill("SIGINT");
    expect(await once(plugin, "exit")).toEqual([0, null]);
    expect(readdirSync(temporary)).toEqual([]);
  });
});
