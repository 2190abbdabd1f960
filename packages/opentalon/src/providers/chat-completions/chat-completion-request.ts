import { createHash } from "node:crypto";
import type { Model, ModelRequest } from "../../domain/model.ts";
import type { TranscriptMessage } from "../../domain/session.ts";
import type { ToolCall } from "../../domain/tool.ts";
import { forgetOlderFiles, toModelContent, type ModelContent } from "../wire/to-model-content.ts";
import { toValidArguments, toValidToolName } from "../wire/to-tool-calls.ts";

/** What a server turned out not to take; learned from its refusals. */
export interface ChatCompletionDialect {
  /** Takes `stream_options`, so that usage comes with the stream. */
  readonly streamOptions: boolean;
  readonly outputLimit: "max_tokens" | "max_completion_tokens";
  /** Identifiers of earlier calls: as whoever made them named them, or nine letters and digits. */
  readonly callIds: "own" | "short";
}

export const usualDialect: ChatCompletionDialect = {
  streamOptions: true,
  outputLimit: "max_tokens",
  callIds: "own",
};

/** The body of a streaming chat completion request, as JSON text. */
export function toChatCompletionRequest(
  model: Model,
  request: ModelRequest,
  dialect: ChatCompletionDialect,
  promptCacheKey?: string,
): string {
  const tools = model.nativeTools ? request.tools : [];
  return JSON.stringify({
    model: model.id,
    messages: toChatMessages(model, request, dialect.callIds === "short" ? toShortCallId : keep),
    ...(tools.length === 0 ? {} : { tools: tools.map(toChatTool) }),
    ...(model.maxTokens === 0 ? {} : { [dialect.outputLimit]: model.maxTokens }),
    ...(model.reasoningEffort === undefined ? {} : { reasoning_effort: model.reasoningEffort }),
    ...(promptCacheKey === undefined ? {} : { prompt_cache_key: promptCacheKey }),
    stream: true,
    ...(dialect.streamOptions ? { stream_options: { include_usage: true } } : {}),
  });
}

function toChatTool({ name, description, inputSchema }: ModelRequest["tools"][number]): unknown {
  return {
    type: "function",
    function: { name, description: description.toWellFormed(), parameters: inputSchema },
  };
}

type CallIdForm = (id: string) => string;

const keep: CallIdForm = (id) => id;

const toShortCallId: CallIdForm = (id) =>
  /^[a-z\d]{9}$/i.test(id) ? id : createHash("sha256").update(id).digest("hex").slice(0, 9);

function toChatMessages(
  model: Model,
  { system, messages }: ModelRequest,
  toCallId: CallIdForm,
): unknown[] {
  const result = forgetOlderFiles(messages, model).map((each) =>
    toChatMessage(each, model, toCallId),
  );
  if (system !== "") result.unshift({ role: "system", content: system.toWellFormed() });
  return result;
}

function toChatMessage(message: TranscriptMessage, model: Model, toCallId: CallIdForm): unknown {
  const content = message.content.toWellFormed();
  switch (message.role) {
    case "user":
      return { role: "user", content: toChatContent(toModelContent(message, model)) };
    case "assistant": {
      if (message.toolCalls.length === 0) return { role: "assistant", content };
      const calls = message.toolCalls.map((call) => toChatToolCall(call, toCallId));
      return { role: "assistant", content: content === "" ? null : content, tool_calls: calls };
    }
    case "tool":
      return { role: "tool", tool_call_id: toCallId(message.callId), content };
  }
}

/** Plain text where that is all: not every server knows lists of parts. */
function toChatContent(content: readonly ModelContent[]): unknown {
  const [first] = content;
  return content.length === 1 && first?.kind === "text" ? first.text : content.map(toChatPart);
}

function toChatPart(piece: ModelContent): unknown {
  switch (piece.kind) {
    case "text":
      return { type: "text", text: piece.text };
    case "image":
      return { type: "image_url", image_url: { url: toDataUrl(piece) } };
    case "audio": {
      const format = piece.mimeType === "audio/wav" ? "wav" : "mp3";
      return { type: "input_audio", input_audio: { data: piece.base64, format } };
    }
    case "pdf":
      return { type: "file", file: { filename: piece.name, file_data: toDataUrl(piece) } };
  }
}

function toDataUrl({ mimeType, base64 }: Exclude<ModelContent, { kind: "text" }>): string {
  return `data:${mimeType};base64,${base64}`;
}

/**
 * A call of an earlier round. Servers refuse the whole conversation over one name or argument text they cannot read,
 * so what a model once got wrong goes back in a form that is valid everywhere.
 */
function toChatToolCall(call: ToolCall, toCallId: CallIdForm): unknown {
  return {
    id: toCallId(call.id),
    type: "function",
    function: {
      name: toValidToolName(call.name),
      arguments: JSON.stringify(toValidArguments(call)).toWellFormed(),
    },
  };
}
