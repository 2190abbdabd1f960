import type { ModelReply, ModelRequest, ToolSpecification } from "../domain/model.ts";
import type { TranscriptMessage } from "../domain/session.ts";
import type { ToolCall } from "../domain/tool.ts";
import type { ModelAdapter } from "./model-adapter.ts";

/** The language in which tools are described to, and called by, a model that has no tool calls of its own. */
export interface TextToolLanguage {
  /** What the system prompt says about the tools and how to call one. */
  readonly describe: (tools: readonly ToolSpecification[]) => string;
  /** Splits a model's own reply into what the person sees and what it calls. */
  readonly parse: (text: string) => {
    readonly text: string;
    readonly toolCalls: readonly ToolCall[];
  };
  /** Keeps call syntax out of the live text. */
  readonly createFilter: () => {
    readonly push: (delta: string) => string;
    readonly flush: () => string;
  };
}

/** Lets an adapter serve models without native tools: calls travel as text, both ways. Others pass unchanged. */
export function withTextTools(adapter: ModelAdapter, language: TextToolLanguage): ModelAdapter {
  return {
    stream: async (call) => {
      if (call.model.nativeTools) return adapter.stream(call);
      const filter = language.createFilter();
      const show = (text: string): void => {
        if (text !== "") call.onText(text);
      };
      const reply = await adapter.stream({
        ...call,
        request: toTextRequest(call.request, language),
        onText: (delta) => show(filter.push(delta)),
      });
      show(filter.flush());
      return toToolReply(reply, language);
    },
    [Symbol.asyncDispose]: adapter[Symbol.asyncDispose],
  };
}

function toTextRequest(request: ModelRequest, language: TextToolLanguage): ModelRequest {
  return {
    ...request,
    system:
      request.tools.length === 0
        ? request.system
        : `${request.system}\n\n${language.describe(request.tools)}`,
    messages: request.messages.map(toTextMessage),
    tools: [],
  };
}

function toTextMessage(message: TranscriptMessage): TranscriptMessage {
  switch (message.role) {
    case "user":
      return message;
    case "assistant": {
      const calls = message.toolCalls.map(
        ({ name, arguments: args }) =>
          `[tool_call]${JSON.stringify({ tool: name, args })}[/tool_call]`,
      );
      return {
        ...message,
        content: [message.content, ...calls].filter((part) => part !== "").join("\n"),
        toolCalls: [],
      };
    }
    case "tool":
      return { role: "user", content: `Result of ${message.tool}:\n${message.content}` };
  }
}

function toToolReply(reply: ModelReply, language: TextToolLanguage): ModelReply {
  const { text, toolCalls } = language.parse(reply.text);
  const all = [...reply.toolCalls, ...toolCalls];
  return {
    ...reply,
    text,
    toolCalls: all,
    finishReason: all.length > 0 ? "tool-calls" : reply.finishReason,
  };
}
