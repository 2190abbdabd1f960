import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { providerMessages as messages } from "@opentalon/protocol";
import type {
  CompletionPart,
  CompletionRequest,
  ConversationMessage,
  FailureReason,
  ModelDefinition,
} from "./define-provider.ts";
import { ProviderFailure } from "./define-provider.ts";
import { toMessage } from "./own-server.ts";

type EventKind = NonNullable<MessageInitShape<typeof messages.CompleteEventSchema>["kind"]>;

const finishReasons = {
  other: messages.FinishReason.UNSPECIFIED,
  stop: messages.FinishReason.STOP,
  "tool-calls": messages.FinishReason.TOOL_CALLS,
  length: messages.FinishReason.LENGTH,
  "content-filter": messages.FinishReason.CONTENT_FILTER,
} as const;

const failureReasons: Readonly<Record<FailureReason, messages.FailureReason>> = {
  "rate-limited": messages.FailureReason.RATE_LIMITED,
  billing: messages.FailureReason.BILLING,
  unauthorized: messages.FailureReason.UNAUTHORIZED,
  overloaded: messages.FailureReason.OVERLOADED,
  "context-too-long": messages.FailureReason.CONTEXT_TOO_LONG,
  "invalid-request": messages.FailureReason.INVALID_REQUEST,
  "content-filtered": messages.FailureReason.CONTENT_FILTERED,
  unreachable: messages.FailureReason.UNREACHABLE,
  "timed-out": messages.FailureReason.TIMED_OUT,
  "broken-stream": messages.FailureReason.BROKEN_STREAM,
};

/**
 * What goes over the wire for a piece of an answer.
 * @throws Error when it is none.
 */
export function toEvent(part: CompletionPart): messages.CompleteEvent {
  if (typeof part === "string") return createEvent({ case: "textDelta", value: part });
  switch (part?.kind) {
    case "reasoning":
      return createEvent({ case: "reasoningDelta", value: part.text });
    case "tool-call": {
      const { id = "", name, arguments: given } = part;
      const argumentsJson = typeof given === "string" ? given : JSON.stringify(given);
      return createEvent({ case: "toolCall", value: { id, name, argumentsJson } });
    }
    case "usage": {
      const value = {
        inputTokens: toTokens(part.inputTokens),
        outputTokens: toTokens(part.outputTokens),
        cachedInputTokens: toTokens(part.cachedInputTokens),
        cacheWriteTokens: toTokens(part.cacheWriteTokens),
        reasoningTokens: toTokens(part.reasoningTokens),
      };
      return createEvent({ case: "usage", value });
    }
    case "finish":
      return createEvent({ case: "finish", value: { reason: finishReasons[part.reason] } });
    default:
      throw new Error("`complete` gave something that is no piece of an answer");
  }
}

/** What goes over the wire when `complete` threw. */
export function toFailureEvent(error: unknown): messages.CompleteEvent {
  const message = toMessage(error);
  if (!(error instanceof ProviderFailure)) {
    const reason = failureReasons[findReason(error)];
    return createEvent({ case: "failure", value: { reason, message } });
  }
  const value = {
    reason: failureReasons[error.reason] ?? messages.FailureReason.UNSPECIFIED,
    message,
    retryAfterMs: toWhole(error.retryAfterMs),
    status: toWhole(error.status),
  };
  return createEvent({ case: "failure", value });
}

/** The question as the author gets it. */
export function toCompletionRequest(request: messages.CompleteRequest): CompletionRequest {
  const { model, system, maxTokens, reasoningEffort, sessionKey } = request;
  return {
    model,
    system,
    messages: request.messages.flatMap(toConversationMessage),
    tools: request.tools.map(({ name, description, inputSchemaJson }) => ({
      name,
      description,
      inputSchema: toObject(inputSchemaJson),
    })),
    maxTokens: maxTokens === 0 ? undefined : maxTokens,
    reasoningEffort: reasoningEffort === "" ? undefined : reasoningEffort,
    sessionKey,
  };
}

/** Models as they go over the wire. */
export function toModels(models: readonly ModelDefinition[]): messages.ModelsResponse {
  return create(messages.ModelsResponseSchema, {
    models: models.map(({ id, contextWindow, maxTokens, cost, input = [], tools = true }) => ({
      id,
      contextWindow: toWhole(contextWindow),
      maxTokens: toWhole(maxTokens),
      inputCost: cost?.input ?? 0,
      outputCost: cost?.output ?? 0,
      cachedInputCost: cost?.cachedInput ?? 0,
      cacheWriteCost: cost?.cacheWrite ?? 0,
      input: [...input],
      features: [tools ? "tools" : "text"],
    })),
  });
}

function createEvent(kind: EventKind): messages.CompleteEvent {
  return create(messages.CompleteEventSchema, { kind });
}

function toConversationMessage({ kind }: messages.Message): ConversationMessage[] {
  switch (kind.case) {
    case "user":
      return [{ role: "user", content: kind.value.content, files: kind.value.files }];
    case "assistant": {
      const { content, toolCalls } = kind.value;
      const calls = toolCalls.map(({ id, name, argumentsJson }) => ({
        id,
        name,
        arguments: toObject(argumentsJson),
      }));
      return [{ role: "assistant", content, toolCalls: calls }];
    }
    case "tool": {
      const { callId, tool, content, isError } = kind.value;
      return [{ role: "tool", callId, tool, content, isError }];
    }
    default:
      return [];
  }
}

function toObject(json: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(json === "" ? "{}" : json);
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};
}

/** What `fetch` and sockets throw, told apart; everything else may be the author's own mistake. */
function findReason(error: unknown): FailureReason {
  if (!(error instanceof Error)) return "broken-stream";
  if (error.name === "TimeoutError") return "timed-out";
  const { code } = (error.cause instanceof Error ? error.cause : error) as NodeJS.ErrnoException;
  return typeof code === "string" && unreachable.test(code) ? "unreachable" : "broken-stream";
}

const unreachable = /^(?:ECONN|EHOST|ENET|ENOTFOUND|EAI_|ETIMEDOUT|UND_ERR_CONNECT)/;

function toTokens(count: number | undefined): bigint {
  return BigInt(toWhole(count));
}

/** A whole number that fits any field; 0 for what is none. */
function toWhole(value: number | undefined): number {
  if (typeof value !== "number" || !(value > 0)) return 0;
  return Math.min(Math.ceil(value), 2 ** 32 - 1);
}
