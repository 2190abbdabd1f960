import type { MethodDefinition } from "@grpc/grpc-js";
import { Metadata, status } from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  providerMessages as messages,
  providerServiceMethods as methods,
} from "@opentalon/protocol";
import { PluginError } from "../base/errors.ts";
import { toAbortError } from "./deadline.ts";
import type { GrpcClientOptions } from "./grpc-client.ts";
import { createGrpcClient, watchConnection } from "./grpc-client.ts";
import { isServiceError, toPluginError } from "./grpc-plugin-client.ts";
import { createUnaryCall } from "./grpc-unary.ts";
import type {
  Completion,
  CompletionEvent,
  CompletionMessage,
  ProviderClient,
} from "./provider-client.ts";

export interface GrpcProviderClientOptions extends GrpcClientOptions {
  /** Called each time a connection that stood was lost; the next call makes a new one. */
  readonly onDoubt: () => void;
}

/** The gRPC way to be a `ProviderClient`. */
export function createGrpcProviderClient(options: GrpcProviderClientOptions): ProviderClient {
  const { plugin, onDoubt } = options;
  const client = createGrpcClient(options);
  watchConnection(client, onDoubt);
  // The library lets calls under way go on after the client was closed.
  const closed = new AbortController();

  const ask = createUnaryCall(client, plugin, closed.signal);

  /** `missing` stands in for the answer of a plugin that does not have the method. */
  const askIfKnown = async <Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
    signal: AbortSignal,
    missing: Response,
  ): Promise<Response> => {
    try {
      return await ask(method, request, signal);
    } catch (error) {
      if (isServiceError(error) && error.code === status.UNIMPLEMENTED) return missing;
      throw toPluginError(plugin, error);
    }
  };

  return {
    init: async (configJson, signal) => {
      const request = create(messages.InitRequestSchema, { configJson });
      await askIfKnown(methods.init, request, signal, create(EmptySchema));
    },
    models: async (credential, signal) => {
      const request = create(messages.ModelsRequestSchema, { credential });
      const none = create(messages.ModelsResponseSchema);
      return (await askIfKnown(methods.models, request, signal, none)).models;
    },
    complete: (completion, { signal: callerSignal, onEvent }) =>
      new Promise((resolve, reject) => {
        const signal = AbortSignal.any([callerSignal, closed.signal]);
        if (signal.aborted) return reject(toAbortError(plugin, signal));
        const { path, requestSerialize, responseDeserialize } = methods.complete;
        const stream = client.makeServerStreamRequest(
          path,
          requestSerialize,
          responseDeserialize,
          toRequest(completion),
          new Metadata(),
        );
        let isOver = false;
        const settle = (finish: () => void): void => {
          if (isOver) return;
          isOver = true;
          signal.removeEventListener("abort", abort);
          finish();
          stream.cancel();
        };
        const fail = (error: unknown): void =>
          settle(() => reject(error instanceof Error ? error : new Error(String(error))));
        const abort = (): void => fail(toAbortError(plugin, signal));
        signal.addEventListener("abort", abort, { once: true });
        stream.on("data", (event: messages.CompleteEvent) => {
          if (isOver) return;
          const told = toCompletionEvent(event);
          try {
            onEvent(told);
          } catch (error) {
            return fail(error);
          }
          if (told.kind === "finish" || told.kind === "failure") settle(resolve);
        });
        // After the end an error still comes when the call was cancelled.
        stream.on("error", (error: unknown) => fail(toPluginError(plugin, error)));
        stream.on("end", () => settle(resolve));
      }),
    [Symbol.asyncDispose]: async () => {
      closed.abort(new PluginError(plugin, "unavailable", `the plugin "${plugin}" was stopped`));
      client.close();
    },
  };
}

function toRequest(completion: Completion): messages.CompleteRequest {
  return create(messages.CompleteRequestSchema, {
    ...completion,
    messages: completion.messages.map((message) => ({ kind: toMessageKind(message) })),
    tools: [...completion.tools],
  });
}

function toMessageKind(message: CompletionMessage): messages.Message["kind"] {
  switch (message.kind) {
    case "user": {
      const { content, files } = message;
      const value = create(messages.UserMessageSchema, { content, files: [...files] });
      return { case: "user", value };
    }
    case "assistant": {
      const { content, toolCalls } = message;
      const value = create(messages.AssistantMessageSchema, {
        content,
        toolCalls: [...toolCalls],
      });
      return { case: "assistant", value };
    }
    case "tool": {
      const { callId, tool, content, isError } = message;
      const value = create(messages.ToolMessageSchema, { callId, tool, content, isError });
      return { case: "tool", value };
    }
  }
}

function toCompletionEvent({ kind }: messages.CompleteEvent): CompletionEvent {
  switch (kind.case) {
    case "textDelta":
      return { kind: "text-delta", text: kind.value };
    case "reasoningDelta":
      return { kind: "reasoning-delta", text: kind.value };
    case "toolCall": {
      const { id, name, argumentsJson } = kind.value;
      return { kind: "tool-call", id, name, argumentsJson };
    }
    case "usage": {
      const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens } =
        kind.value;
      return {
        kind: "usage",
        input: Number(inputTokens),
        output: Number(outputTokens),
        cachedInput: Number(cachedInputTokens),
        cacheWrite: Number(cacheWriteTokens),
        reasoning: Number(reasoningTokens),
      };
    }
    case "finish":
      return { kind: "finish", reason: finishReasons.get(kind.value.reason) ?? "other" };
    case "failure": {
      const { reason, message, retryAfterMs, status: httpStatus } = kind.value;
      return {
        kind: "failure",
        reason: failureReasons.get(reason) ?? "broken-stream",
        message,
        retryAfterMs,
        status: httpStatus,
      };
    }
    default:
      return { kind: "life" };
  }
}

type Told<Kind extends CompletionEvent["kind"]> = Extract<CompletionEvent, { readonly kind: Kind }>;

const finishReasons: ReadonlyMap<messages.FinishReason, Told<"finish">["reason"]> = new Map([
  [messages.FinishReason.STOP, "stop"],
  [messages.FinishReason.TOOL_CALLS, "tool-calls"],
  [messages.FinishReason.LENGTH, "length"],
  [messages.FinishReason.CONTENT_FILTER, "content-filter"],
]);

const failureReasons: ReadonlyMap<messages.FailureReason, Told<"failure">["reason"]> = new Map([
  [messages.FailureReason.RATE_LIMITED, "rate-limited"],
  [messages.FailureReason.BILLING, "billing"],
  [messages.FailureReason.UNAUTHORIZED, "unauthorized"],
  [messages.FailureReason.OVERLOADED, "overloaded"],
  [messages.FailureReason.CONTEXT_TOO_LONG, "context-too-long"],
  [messages.FailureReason.INVALID_REQUEST, "invalid-request"],
  [messages.FailureReason.CONTENT_FILTERED, "content-filtered"],
  [messages.FailureReason.UNREACHABLE, "unreachable"],
  [messages.FailureReason.TIMED_OUT, "timed-out"],
]);
