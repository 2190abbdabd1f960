/**
 * A model server for tests, benchmarks and chaos runs: speaks OpenAI's chat completions over real HTTP and SSE on
 * loopback, answers as scripted, misbehaves as scripted, and remembers what it was asked.
 *
 * As a process of its own (`node packages/opentalon/src/providers/testing/model-server.ts --port 0 --delay 0`) it prints its base URL as the first
 * line and answers every request with `answer: <last user message>`. A user message of the form
 * `tool: <name> <JSON object>` is answered with that tool call when the request offers the tool, and the tool's result
 * with `answer: <last user message> => <result>`.
 */
import { createServer } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { parseArgs } from "node:util";
import type { WireFormat } from "./wire-format.ts";

/** A piece of a message that carries files. */
export interface ChatPart {
  readonly type: string;
  readonly text?: string;
  readonly image_url?: { readonly url: string };
}

export interface ChatMessage {
  readonly role: string;
  /** A list of `ChatPart` for a message with files. */
  readonly content?: string | null;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly {
    readonly id: string;
    readonly function: { readonly name: string; readonly arguments: string };
  }[];
}

/** The body of a chat completion request, as far as tests look at it. */
export interface ChatRequest {
  readonly model?: string;
  readonly messages?: readonly ChatMessage[];
  readonly tools?: readonly {
    readonly function: { readonly name: string; readonly parameters?: unknown };
  }[];
  readonly stream?: boolean;
  readonly stream_options?: { readonly include_usage?: boolean };
  readonly max_tokens?: number;
  readonly reasoning_effort?: string;
  readonly temperature?: number;
}

export interface RecordedRequest {
  /** 0 for the first chat request of this server. */
  readonly index: number;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: ChatRequest;
  /** The same number for requests that came over the same connection. */
  readonly connection: number;
  /** Whether the client hung up before the reply was complete; final once `closed` resolves. */
  readonly closedEarly: () => boolean;
  readonly closed: Promise<void>;
}

export interface ScriptedToolCall {
  /** `null` sends none, as some servers do. */
  readonly id?: string | null;
  readonly name: string;
  /** Text goes out as it is, valid JSON or not. */
  readonly arguments: string | Readonly<Record<string, unknown>>;
}

export interface ScriptedUsage {
  readonly prompt: number;
  readonly completion: number;
  readonly cached?: number;
  readonly written?: number;
  readonly reasoning?: number;
}

export interface ScriptedMessage {
  /** One chunk per element; a plain text is split into words. */
  readonly text?: string | readonly string[];
  readonly toolCalls?: readonly ScriptedToolCall[];
  readonly finishReason?: string;
  /** `null` leaves usage out although it was asked for. */
  readonly usage?: ScriptedUsage | null;
  readonly delayMs?: number;
  readonly delayBetweenChunksMs?: number;
}

/** What happens to one request. */
export type ScriptedReply =
  | ({ readonly kind: "message" } & ScriptedMessage)
  /** Everything the server was sent, as the text of the answer. */
  | { readonly kind: "echo" }
  /** `answer: <last user message>`, tool calls on demand: the behaviour of the stand-alone process. */
  | { readonly kind: "answer" }
  | {
      readonly kind: "error";
      readonly status: number;
      /** Text goes out as it is, anything else as JSON. */
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Goes silent, connection open, until the client hangs up or the server ends. `text` goes out first. */
  | {
      readonly kind: "stall";
      readonly at: "headers" | "first-token" | "mid-stream";
      readonly text?: string;
    }
  /** Resets the connection. */
  | {
      readonly kind: "reset";
      readonly at: "headers" | "first-token" | "mid-stream";
      readonly text?: string;
    }
  /** Status 200 and these bytes, whatever they are; then the end, or silence when `end` is false. */
  | {
      readonly kind: "raw";
      readonly contentType?: string;
      readonly parts: readonly string[];
      readonly end?: boolean;
    };

export type Script =
  | ScriptedReply
  /** In order of arrival; the last one stays. */
  | readonly ScriptedReply[]
  | ((request: RecordedRequest) => ScriptedReply | Promise<ScriptedReply>);

export interface ModelServer extends AsyncDisposable {
  /** Base URL as a provider's configuration has it, ending in `/v1`. */
  readonly url: string;
  readonly port: number;
  /** Chat requests so far, in order of arrival; the oldest are dropped past `maxRecorded`. */
  readonly requests: readonly RecordedRequest[];
  /** Replaces the script; a list starts from its first element. */
  readonly setScript: (script: Script) => void;
  readonly openConnections: () => number;
  /** Connections accepted since the start. */
  readonly connections: () => number;
}

export interface ModelServerOptions {
  /** 0 takes a free port. */
  readonly port?: number;
  /** Answer to GET /v1/models. */
  readonly models?: readonly string[];
  /** 0 records nothing. */
  readonly maxRecorded?: number;
  /** Another API than chat completions. */
  readonly wire?: WireFormat;
}

const eventStreamHeaders = { "content-type": "text/event-stream", "cache-control": "no-cache" };
const jsonHeaders = { "content-type": "application/json" };

export async function createModelServer(
  script: Script = { kind: "answer" },
  { port = 0, models = ["test-model"], maxRecorded = 10_000, wire }: ModelServerOptions = {},
): Promise<ModelServer> {
  const requests: RecordedRequest[] = [];
  const connectionNumbers = new WeakMap<Socket, number>();
  const sockets = new Set<Socket>();
  let connectionCount = 0;
  let requestCount = 0;
  let current = script;
  let position = 0;

  const nextReply = (request: RecordedRequest): ScriptedReply | Promise<ScriptedReply> => {
    if (typeof current === "function") return current(request);
    if (!Array.isArray(current)) return current as ScriptedReply;
    const reply = current[Math.min(position, current.length - 1)] as ScriptedReply | undefined;
    position += 1;
    return reply ?? { kind: "answer" };
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? "";
    if (request.method === "GET" && path === "/v1/models") {
      sendJson(response, 200, {
        object: "list",
        data: models.map((id) => ({ id, object: "model" })),
      });
      return;
    }
    const isServed = wire === undefined ? path === "/v1/chat/completions" : wire.path.test(path);
    if (request.method !== "POST" || !isServed) {
      sendJson(response, 404, { error: { message: `no such route: ${request.method} ${path}` } });
      return;
    }
    const body = JSON.parse(await readText(request)) as ChatRequest;
    const recorded: RecordedRequest = {
      index: requestCount,
      path,
      headers: request.headers,
      body,
      connection: connectionNumbers.get(request.socket) ?? -1,
      closedEarly: () => response.destroyed && !response.writableFinished,
      closed: new Promise((resolve) => response.once("close", resolve)),
    };
    requestCount += 1;
    if (maxRecorded > 0) requests.push(recorded);
    if (requests.length > maxRecorded) requests.shift();
    await sendReply(await nextReply(recorded), body, response, wire);
  };

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (!response.headersSent) sendJson(response, 400, { error: { message: String(error) } });
      else response.destroy();
    });
  });
  server.keepAliveTimeout = 60_000;
  server.on("connection", (socket) => {
    connectionCount += 1;
    connectionNumbers.set(socket, connectionCount);
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", 4_096, resolve);
  });
  const actualPort = (server.address() as AddressInfo).port;

  return {
    url: `http://127.0.0.1:${actualPort}${wire?.root ?? "/v1"}`,
    port: actualPort,
    requests,
    setScript: (next) => {
      current = next;
      position = 0;
    },
    openConnections: () => sockets.size,
    connections: () => connectionCount,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function sendReply(
  reply: ScriptedReply,
  request: ChatRequest,
  response: ServerResponse,
  wire: WireFormat | undefined,
): Promise<void> {
  switch (reply.kind) {
    case "message":
      await sendMessage(reply, request, response, wire);
      return;
    case "echo":
      await sendMessage({ text: [JSON.stringify(request)] }, request, response, wire);
      return;
    case "answer": {
      const answer =
        wire === undefined ? toAnswer(request) : { text: `answer: ${wire.toQuestion(request)}` };
      await sendMessage(answer, request, response, wire);
      return;
    }
    case "error": {
      const { status, body = { error: { message: `scripted error ${status}` } }, headers } = reply;
      response.writeHead(status, { ...jsonHeaders, ...headers });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
      return;
    }
    case "stall":
      startFailing(reply, request, response, wire);
      return;
    case "reset":
      startFailing(reply, request, response, wire);
      // What was written has to reach the client first; a reset right behind it would throw it away.
      await new Promise((resolve) => setTimeout(resolve, reply.at === "headers" ? 0 : 20));
      response.socket?.resetAndDestroy();
      return;
    case "raw":
      response.writeHead(200, {
        "content-type": reply.contentType ?? toStreamHeaders(wire)["content-type"],
      });
      for (const part of reply.parts) response.write(part, toEncoding(wire));
      if (reply.end !== false) response.end();
      return;
  }
}

function startFailing(
  reply: Extract<ScriptedReply, { kind: "stall" | "reset" }>,
  request: ChatRequest,
  response: ServerResponse,
  wire: WireFormat | undefined,
): void {
  if (reply.at === "headers") return;
  response.writeHead(200, toStreamHeaders(wire));
  response.flushHeaders();
  const words = toWords(reply.text ?? "the beginning of");
  if (wire !== undefined) {
    const writer = wire.createWriter();
    const encoding = toEncoding(wire);
    response.write(writer.begin() || ": hello\n\n", encoding);
    if (reply.at === "mid-stream")
      for (const word of words) response.write(writer.text(word), encoding);
    return;
  }
  if (reply.at === "first-token") return;
  const toChunk = createChunkWriter(request);
  response.write(toChunk({ role: "assistant", content: "" }));
  for (const word of words) response.write(toChunk({ content: word }));
}

async function sendMessage(
  message: ScriptedMessage,
  request: ChatRequest,
  response: ServerResponse,
  wire: WireFormat | undefined,
): Promise<void> {
  const { text = "", toolCalls = [], delayMs = 0, delayBetweenChunksMs = 0 } = message;
  const finishReason = message.finishReason ?? (toolCalls.length > 0 ? "tool_calls" : "stop");
  const usage = message.usage === undefined ? { prompt: 12, completion: 5 } : message.usage;
  if (delayMs > 0) await pause(delayMs);
  if (wire !== undefined) {
    await sendChunks(toWireChunks(message, wire), delayBetweenChunksMs, response, wire);
    return;
  }
  if (request.stream !== true) {
    sendJson(response, 200, toCompletion(request, text, toolCalls, finishReason, usage));
    return;
  }
  const toChunk = createChunkWriter(request);
  const chunks = [toChunk({ role: "assistant", content: "" })];
  for (const part of typeof text === "string" ? toWords(text) : text)
    chunks.push(toChunk({ content: part }));
  toolCalls.forEach((call, index) => {
    for (const delta of toToolCallDeltas(call, index))
      chunks.push(toChunk({ tool_calls: [delta] }));
  });
  chunks.push(toChunk({}, finishReason));
  if (request.stream_options?.include_usage === true && usage !== null)
    chunks.push(toChunk.usage(usage));
  chunks.push("data: [DONE]\n\n");
  await sendChunks(chunks, delayBetweenChunksMs, response);
}

function toWireChunks(message: ScriptedMessage, wire: WireFormat): string[] {
  const { text = "", toolCalls = [], finishReason, usage } = message;
  const writer = wire.createWriter();
  const parts = typeof text === "string" ? toWords(text) : text;
  const calls = toolCalls.map((call, index) => ({
    id: call.id ?? `call_${index + 1}`,
    name: call.name,
    arguments: toArgumentText(call),
  }));
  const counted = { prompt: 12, completion: 5, cached: 0, written: 0, reasoning: 0, ...usage };
  return [
    writer.begin(),
    ...parts.map(writer.text),
    ...calls.map(writer.toolCall),
    writer.end(finishReason, counted),
  ];
}

function toStreamHeaders(wire: WireFormat | undefined): Record<string, string> {
  const type = wire?.binaryType;
  return type === undefined ? eventStreamHeaders : { ...eventStreamHeaders, "content-type": type };
}

function toEncoding(wire: WireFormat | undefined): "latin1" | "utf8" {
  return wire?.binaryType === undefined ? "utf8" : "latin1";
}

async function sendChunks(
  chunks: readonly string[],
  delayBetweenChunksMs: number,
  response: ServerResponse,
  wire?: WireFormat,
): Promise<void> {
  response.writeHead(200, toStreamHeaders(wire));
  if (delayBetweenChunksMs === 0) {
    response.end(chunks.join(""), toEncoding(wire));
    return;
  }
  for (const chunk of chunks) {
    if (response.destroyed) return;
    response.write(chunk, toEncoding(wire));
    await pause(delayBetweenChunksMs);
  }
  response.end();
}

/** A call as real servers split it: identifier and name first, then the arguments in pieces. */
function toToolCallDeltas(call: ScriptedToolCall, index: number): unknown[] {
  const text = toArgumentText(call);
  const id = call.id === null ? {} : { id: call.id ?? `call_${index + 1}` };
  const deltas: unknown[] = [
    { index, ...id, type: "function", function: { name: call.name, arguments: "" } },
  ];
  const middle = Math.ceil(text.length / 2);
  for (const part of [text.slice(0, middle), text.slice(middle)]) {
    if (part !== "") deltas.push({ index, function: { arguments: part } });
  }
  return deltas;
}

function toArgumentText(call: ScriptedToolCall): string {
  return typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments);
}

interface ChunkWriter {
  (delta: Readonly<Record<string, unknown>>, finishReason?: string): string;
  readonly usage: (usage: ScriptedUsage) => string;
}

function createChunkWriter(request: ChatRequest): ChunkWriter {
  const head = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":${JSON.stringify(request.model ?? "")},"choices":[`;
  const write = (delta: Readonly<Record<string, unknown>>, finishReason?: string): string => {
    const finish = finishReason === undefined ? "null" : `"${finishReason}"`;
    return `${head}{"index":0,"delta":${JSON.stringify(delta)},"finish_reason":${finish}}]}\n\n`;
  };
  return Object.assign(write, {
    usage: (usage: ScriptedUsage) => `${head}],"usage":${JSON.stringify(toUsage(usage))}}\n\n`,
  });
}

function toUsage({ prompt, completion, cached, reasoning }: ScriptedUsage): unknown {
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    ...(cached === undefined ? {} : { prompt_tokens_details: { cached_tokens: cached } }),
    ...(reasoning === undefined
      ? {}
      : { completion_tokens_details: { reasoning_tokens: reasoning } }),
  };
}

function toCompletion(
  request: ChatRequest,
  text: string | readonly string[],
  toolCalls: readonly ScriptedToolCall[],
  finishReason: string,
  usage: ScriptedUsage | null,
): unknown {
  const calls = toolCalls.map((call, index) => ({
    id: call.id ?? `call_${index + 1}`,
    type: "function",
    function: { name: call.name, arguments: toArgumentText(call) },
  }));
  const content = typeof text === "string" ? text : text.join("");
  const message = {
    role: "assistant",
    content,
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
  return {
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1_700_000_000,
    model: request.model,
    choices: [{ index: 0, message, finish_reason: finishReason }],
    ...(usage === null ? {} : { usage: toUsage(usage) }),
  };
}

function toAnswer(request: ChatRequest): ScriptedMessage {
  const messages = request.messages ?? [];
  const question = toPlainText(messages.findLast(({ role }) => role === "user")?.content);
  const last = messages.at(-1);
  if (last?.role === "tool") return { text: `answer: ${question} => ${last.content ?? ""}` };
  const wish = /^tool: (\S+) (\{.*\})$/s.exec(question);
  const name = wish?.[1] ?? "";
  if (name !== "" && request.tools?.some((tool) => tool.function.name === name) === true) {
    return { toolCalls: [{ name, arguments: wish?.[2] ?? "{}" }] };
  }
  return { text: `answer: ${question}` };
}

/** The words of a message, also of one that carries files. */
function toPlainText(content: ChatMessage["content"]): string {
  if (typeof content === "string") return content;
  return ((content ?? []) as readonly ChatPart[]).map(({ text }) => text ?? "").join("");
}

function toWords(text: string): string[] {
  return text.match(/\s*\S+\s*$|\s*\S+/g) ?? (text === "" ? [] : [text]);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, jsonHeaders);
  response.end(JSON.stringify(body));
}

function readText(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.once("end", () => resolve(Buffer.concat(parts).toString("utf8")));
    request.once("error", reject);
  });
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { port: { type: "string", default: "0" }, delay: { type: "string", default: "0" } },
  });
  const delayMs = Number(values.delay);
  const script: Script =
    delayMs > 0 ? async () => (await pause(delayMs), { kind: "answer" }) : { kind: "answer" };
  const server = await createModelServer(script, { port: Number(values.port), maxRecorded: 0 });
  process.stdout.write(`${server.url}\n`);
  const stop = (): void => void server[Symbol.asyncDispose]();
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}
