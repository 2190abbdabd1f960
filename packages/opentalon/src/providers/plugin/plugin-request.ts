import { createHash } from "node:crypto";
import type { Model, ModelRequest } from "../../domain/model.ts";
import type { TranscriptMessage } from "../../domain/session.ts";
import type { Completion, CompletionMessage } from "../../plugins/provider-client.ts";
import type { ModelAdapterCall } from "../model-adapter.ts";
import { forgetOlderFiles, toModelContent } from "../wire/to-model-content.ts";
import { toValidArguments, toValidToolName } from "../wire/to-tool-calls.ts";

/** A request in the form that provider plugins are sent. */
export function toCompletion({
  model,
  request,
  credential,
}: Pick<ModelAdapterCall, "model" | "request" | "credential">): Completion {
  return {
    model: model.id,
    credential: credential?.reveal() ?? "",
    system: request.system.toWellFormed(),
    messages: forgetOlderFiles(request.messages, model).map((each) => toMessage(each, model)),
    tools: model.nativeTools ? toTools(request) : [],
    maxTokens: model.maxTokens,
    reasoningEffort: model.reasoningEffort ?? "",
    // Which conversation it is, is none of the plugin's business.
    sessionKey: createHash("sha256").update(request.sessionKey).digest("hex").slice(0, 32),
  };
}

function toTools({ tools }: ModelRequest): Completion["tools"] {
  return tools.map(({ name, description, inputSchema }) => ({
    name,
    description: description.toWellFormed(),
    inputSchemaJson: JSON.stringify(inputSchema),
  }));
}

function toMessage(message: TranscriptMessage, model: Model): CompletionMessage {
  switch (message.role) {
    case "user": {
      const pieces = toModelContent(message, model);
      const texts = pieces.flatMap((piece) => (piece.kind === "text" ? [piece.text] : []));
      const files = pieces.flatMap((piece) => {
        if (piece.kind === "text") return [];
        const { name, mimeType, base64 } = piece;
        return [{ name, mimeType, data: Buffer.from(base64, "base64") }];
      });
      return { kind: "user", content: texts.join("\n\n"), files };
    }
    case "assistant": {
      const toolCalls = message.toolCalls.map((call) => ({
        id: call.id,
        name: toValidToolName(call.name),
        argumentsJson: JSON.stringify(toValidArguments(call)).toWellFormed(),
      }));
      return { kind: "assistant", content: message.content.toWellFormed(), toolCalls };
    }
    case "tool": {
      const { callId, tool, content, isError } = message;
      const name = toValidToolName(tool);
      return { kind: "tool", callId, tool: name, content: content.toWellFormed(), isError };
    }
  }
}
