import { crc32 } from "node:zlib";

/** How a model API writes a streamed answer, for the test server. Each piece is whole events, ready to be sent. */
export interface WireFormat {
  /** Path of a streaming request, without the version part. */
  readonly path: RegExp;
  /** Where the base URL ends. */
  readonly root: string;
  /** What the last user message of a request says. */
  readonly toQuestion: (body: unknown) => string;
  /** Content type of answers that are bytes and no text; each character of a piece is then one byte. */
  readonly binaryType?: string;
  /** Writers keep count of blocks, so one is made per answer. */
  readonly createWriter: () => WireWriter;
}

export interface WireWriter {
  readonly begin: () => string;
  readonly text: (delta: string) => string;
  readonly toolCall: (call: WireToolCall) => string;
  readonly end: (reason: string | undefined, usage: WireUsage) => string;
}

export interface WireToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text. */
  readonly arguments: string;
}

export interface WireUsage {
  readonly prompt: number;
  readonly completion: number;
  readonly cached: number;
  /** Of the prompt, what was written into the cache, for formats that tell. */
  readonly written: number;
  readonly reasoning: number;
}

interface Part {
  readonly text?: string;
}

function toText(content: string | readonly Part[] | undefined): string {
  if (typeof content === "string") return content;
  return (content ?? []).map(({ text }) => text ?? "").join("");
}

function findLastUser<Message extends { readonly role?: string }>(
  messages: readonly Message[] | undefined,
): Message | undefined {
  return messages?.findLast(({ role }) => role === "user");
}

export const anthropicMessages: WireFormat = {
  path: /^\/v1\/messages$/,
  root: "",
  toQuestion: (body) => {
    const { messages } = body as { messages?: { role?: string; content?: string | Part[] }[] };
    return toText(findLastUser(messages)?.content);
  },
  createWriter: () => {
    const write = (event: { readonly type: string; readonly [key: string]: unknown }): string =>
      `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
    let index = -1;
    let isTextOpen = false;
    let hasTool = false;
    const closeText = (): string => {
      if (!isTextOpen) return "";
      isTextOpen = false;
      return write({ type: "content_block_stop", index });
    };
    return {
      begin: () =>
        write({
          type: "message_start",
          message: {
            id: "msg_1",
            type: "message",
            role: "assistant",
            model: "test-model",
            content: [],
            stop_reason: null,
            usage: { input_tokens: 0, output_tokens: 1 },
          },
        }) + write({ type: "ping" }),
      text: (text) => {
        const delta = { type: "text_delta", text };
        if (isTextOpen) return write({ type: "content_block_delta", index, delta });
        isTextOpen = true;
        index += 1;
        const start = { type: "text", text: "" };
        return (
          write({ type: "content_block_start", index, content_block: start }) +
          write({ type: "content_block_delta", index, delta })
        );
      },
      toolCall: ({ id, name, arguments: input }) => {
        const closed = closeText();
        hasTool = true;
        index += 1;
        const middle = Math.ceil(input.length / 2);
        const start = { type: "tool_use", id, name, input: {} };
        const pieces = [input.slice(0, middle), input.slice(middle)].map((partial_json) =>
          write({
            type: "content_block_delta",
            index,
            delta: { type: "input_json_delta", partial_json },
          }),
        );
        return [
          closed,
          write({ type: "content_block_start", index, content_block: start }),
          ...pieces,
          write({ type: "content_block_stop", index }),
        ].join("");
      },
      end: (reason, { prompt, completion, cached, written, reasoning }) =>
        closeText() +
        write({
          type: "message_delta",
          delta: {
            stop_reason: reason ?? (hasTool ? "tool_use" : "end_turn"),
            stop_sequence: null,
          },
          usage: {
            input_tokens: prompt - cached - written,
            cache_read_input_tokens: cached,
            cache_creation_input_tokens: written,
            output_tokens: completion,
            output_tokens_details: { thinking_tokens: reasoning },
          },
        }) +
        write({ type: "message_stop" }),
    };
  },
};

export const openAiResponses: WireFormat = {
  path: /^\/v1\/responses$/,
  root: "/v1",
  toQuestion: (body) => {
    const { input } = body as { input?: { role?: string; content?: string | Part[] }[] };
    return toText(findLastUser(input)?.content);
  },
  createWriter: () => {
    let sequence = 0;
    let outputIndex = -1;
    let isTextOpen = false;
    const write = (type: string, event: Readonly<Record<string, unknown>>): string =>
      `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: (sequence += 1), ...event })}\n\n`;
    const head = {
      id: "resp_1",
      object: "response",
      created_at: 1_700_000_000,
      model: "test-model",
    };
    const toItem = (status: string): unknown => ({
      id: `msg_${outputIndex}`,
      type: "message",
      role: "assistant",
      status,
      content: [],
    });
    const closeText = (): string => {
      if (!isTextOpen) return "";
      isTextOpen = false;
      return write("response.output_item.done", {
        output_index: outputIndex,
        item: toItem("completed"),
      });
    };
    return {
      begin: () =>
        write("response.created", { response: { ...head, status: "in_progress", output: [] } }),
      text: (delta) => {
        let start = "";
        if (!isTextOpen) {
          isTextOpen = true;
          outputIndex += 1;
          start = write("response.output_item.added", {
            output_index: outputIndex,
            item: toItem("in_progress"),
          });
        }
        const place = {
          item_id: `msg_${outputIndex}`,
          output_index: outputIndex,
          content_index: 0,
        };
        return start + write("response.output_text.delta", { ...place, delta });
      },
      toolCall: ({ id, name, arguments: input }) => {
        const closed = closeText();
        outputIndex += 1;
        const item = { id: `fc_${outputIndex}`, type: "function_call", call_id: id, name };
        const place = { item_id: item.id, output_index: outputIndex };
        return [
          closed,
          write("response.output_item.added", {
            output_index: outputIndex,
            item: { ...item, arguments: "", status: "in_progress" },
          }),
          write("response.function_call_arguments.delta", { ...place, delta: input }),
          write("response.function_call_arguments.done", { ...place, arguments: input }),
          write("response.output_item.done", {
            output_index: outputIndex,
            item: { ...item, arguments: input, status: "completed" },
          }),
        ].join("");
      },
      end: (reason, { prompt, completion, cached, reasoning }) => {
        const type = reason === undefined ? "response.completed" : "response.incomplete";
        return (
          closeText() +
          write(type, {
            response: {
              ...head,
              status: reason === undefined ? "completed" : "incomplete",
              incomplete_details: reason === undefined ? null : { reason },
              output: [],
              usage: {
                input_tokens: prompt,
                input_tokens_details: { cached_tokens: cached },
                output_tokens: completion,
                output_tokens_details: { reasoning_tokens: reasoning },
                total_tokens: prompt + completion,
              },
            },
          })
        );
      },
    };
  },
};

export const googleGenerativeAi: WireFormat = {
  path: /^\/v1beta\/models\/[^/]+:streamGenerateContent\?alt=sse$/,
  root: "/v1beta",
  toQuestion: (body) => {
    const { contents } = body as { contents?: { role?: string; parts?: Part[] }[] };
    return toText(findLastUser(contents)?.parts);
  },
  createWriter: () => {
    const write = (event: Readonly<Record<string, unknown>>): string =>
      `data: ${JSON.stringify(event)}\n\n`;
    const writePart = (part: unknown): string =>
      write({ candidates: [{ index: 0, content: { role: "model", parts: [part] } }] });
    return {
      begin: () => "",
      text: (text) => writePart({ text }),
      toolCall: ({ id, name, arguments: input }) =>
        writePart({ functionCall: { id, name, args: JSON.parse(input) as unknown } }),
      end: (reason = "STOP", { prompt, completion, cached, reasoning }) =>
        write({
          candidates: [
            { index: 0, content: { role: "model", parts: [{ text: "" }] }, finishReason: reason },
          ],
          usageMetadata: {
            promptTokenCount: prompt,
            candidatesTokenCount: completion - reasoning,
            thoughtsTokenCount: reasoning,
            cachedContentTokenCount: cached,
            totalTokenCount: prompt + completion,
          },
        }),
    };
  },
};

const textHeader = 7;

/** One message of AWS's event stream: lengths, headers, content, each part under a check sum. */
export function toAwsFrame(headers: Readonly<Record<string, string>>, content: unknown): string {
  const head = Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const text = Buffer.from(value);
      const length = Buffer.alloc(3);
      length.writeUInt8(textHeader);
      length.writeUInt16BE(text.length, 1);
      return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), length, text]);
    }),
  );
  const body = Buffer.from(JSON.stringify(content));
  const lengths = Buffer.alloc(12);
  lengths.writeUInt32BE(lengths.length + head.length + body.length + 4);
  lengths.writeUInt32BE(head.length, 4);
  lengths.writeUInt32BE(crc32(lengths.subarray(0, 8)), 8);
  const message = Buffer.concat([lengths, head, body]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(message));
  return Buffer.concat([message, sum]).toString("latin1");
}

export const bedrockConverse: WireFormat = {
  path: /^\/model\/[^/]+\/converse-stream$/,
  root: "",
  binaryType: "application/vnd.amazon.eventstream",
  toQuestion: (body) => {
    const { messages } = body as { messages?: { role?: string; content?: Part[] }[] };
    return toText(findLastUser(messages)?.content);
  },
  createWriter: () => {
    const write = (type: string, event: Readonly<Record<string, unknown>>): string =>
      toAwsFrame(
        {
          ":event-type": type,
          ":content-type": "application/json",
          ":message-type": "event",
        },
        // Padding, so that the length of an answer does not tell its content.
        { ...event, p: "abcdefgh" },
      );
    let contentBlockIndex = -1;
    let isTextOpen = false;
    let hasTool = false;
    const closeText = (): string => {
      if (!isTextOpen) return "";
      isTextOpen = false;
      return write("contentBlockStop", { contentBlockIndex });
    };
    return {
      begin: () => write("messageStart", { role: "assistant" }),
      text: (text) => {
        if (!isTextOpen) contentBlockIndex += 1;
        isTextOpen = true;
        return write("contentBlockDelta", { contentBlockIndex, delta: { text } });
      },
      toolCall: ({ id, name, arguments: input }) => {
        const closed = closeText();
        hasTool = true;
        contentBlockIndex += 1;
        const middle = Math.ceil(input.length / 2);
        const pieces = [input.slice(0, middle), input.slice(middle)].map((piece) =>
          write("contentBlockDelta", { contentBlockIndex, delta: { toolUse: { input: piece } } }),
        );
        const start = { toolUse: { toolUseId: id, name } };
        return [
          closed,
          write("contentBlockStart", { contentBlockIndex, start }),
          ...pieces,
          write("contentBlockStop", { contentBlockIndex }),
        ].join("");
      },
      end: (reason, { prompt, completion, cached, written }) =>
        closeText() +
        write("messageStop", { stopReason: reason ?? (hasTool ? "tool_use" : "end_turn") }) +
        write("metadata", {
          metrics: { latencyMs: 1 },
          usage: {
            inputTokens: prompt - cached - written,
            cacheReadInputTokens: cached,
            cacheWriteInputTokens: written,
            outputTokens: completion,
            totalTokens: prompt + completion,
          },
        }),
    };
  },
};
