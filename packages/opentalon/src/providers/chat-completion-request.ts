import type { Model, ModelRequest } from "../domain/model.ts";
import type { TranscriptMessage } from "../domain/session.ts";
import type { ToolCall } from "../domain/tool.ts";
import { toValidArguments, toValidToolName } from "./to-tool-calls.ts";

/** What a server turned out not to take; learned from its refusals. */
export interface ChatCompletionDialect {
  /** Takes `stream_options`, so that usage comes with the stream. */
  readonly streamOptions: boolean;
  readonly outputLimit: "max_tokens" | "max_completion_tokens";
}

export const usualDialect: ChatCompletionDialect = {
  streamOptions: true,
  outputLimit: "max_tokens",
};

/** The body of a streaming chat completion request, as JSON text. */
export function toChatCompletionRequest(
  model: Model,
  request: ModelRequest,
  dialect: ChatCompletionDialect,
): string {
  const tools = model.nativeTools ? request.tools : [];
  return JSON.stringify({
    model: model.id,
    messages: toChatMessages(request),
    ...(tools.length === 0 ? {} : { tools: tools.map(toChatTool) }),
    ...(model.maxTokens === 0 ? {} : { [dialect.outputLimit]: model.maxTokens }),
    ...(model.reasoningEffort === undefined ? {} : { reasoning_effort: model.reasoningEffort }),
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

function toChatMessages({ system, messages }: ModelRequest): unknown[] {
  const result: unknown[] = messages.map(toChatMessage);
  if (system !== "") result.unshift({ role: "system", content: system.toWellFormed() });
  return result;
}

function toChatMessage(message: TranscriptMessage): unknown {
  const content = message.content.toWellFormed();
  switch (message.role) {
    case "user":
      return { role: "user", content };
    case "assistant": {
      if (message.toolCalls.length === 0) return { role: "assistant", content };
      const calls = message.toolCalls.map(toChatToolCall);
      return { role: "assistant", content: content === "" ? null : content, tool_calls: calls };
    }
    case "tool":
      return { role: "tool", tool_call_id: message.callId, content };
  }
}

/**
 * A call of an earlier round. Servers refuse the whole conversation over one name or argument text they cannot read,
 * so what a model once got wrong goes back in a form that is valid everywhere.
 */
function toChatToolCall(call: ToolCall): unknown {
  return {
    id: call.id,
    type: "function",
    function: {
      name: toValidToolName(call.name),
      arguments: JSON.stringify(toValidArguments(call)).toWellFormed(),
    },
  };
}
