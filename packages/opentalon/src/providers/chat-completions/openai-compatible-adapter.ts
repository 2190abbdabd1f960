import type { Clock } from "../../base/clock.ts";
import { ProviderError } from "../../base/errors.ts";
import type { ModelReply } from "../../domain/model.ts";
import { createChatCompletionReader } from "./chat-completion-reply.ts";
import { toChatCompletionRequest, usualDialect } from "./chat-completion-request.ts";
import type { ChatCompletionDialect } from "./chat-completion-request.ts";
import { createEventStreamClient } from "./event-stream-client.ts";
import { defaultModelCallLimits } from "../model-adapter.ts";
import type { ModelAdapter, ModelAdapterCall, ModelCallLimits } from "../model-adapter.ts";
import { toPromptCacheKey } from "../wire/prompt-cache-key.ts";

export const openAiBaseUrl = "https://api.openai.com/v1";

export interface OpenAiCompatibleAdapterOptions {
  /** Root of the API, `/v1` included where the server has it. */
  readonly baseUrl?: string;
  readonly clock: Clock;
  readonly limits?: Partial<ModelCallLimits>;
  /** Connections kept to the server at once. */
  readonly maxConnections?: number;
}

/** Speaks OpenAI's chat completions, as a great many servers do: streamed, with native tool calls. */
export function createOpenAiCompatibleAdapter(
  options: OpenAiCompatibleAdapterOptions,
): ModelAdapter {
  const { baseUrl = openAiBaseUrl, clock, maxConnections = 256 } = options;
  const limits = { ...defaultModelCallLimits, ...options.limits };
  const client = createEventStreamClient({ baseUrl, limits, clock, maxConnections });
  const dialects = new Map<string, ChatCompletionDialect>();

  const ask = async (
    call: ModelAdapterCall,
    dialect: ChatCompletionDialect,
  ): Promise<ModelReply> => {
    const { model, request, credential, signal, onText } = call;
    const context = { model: model.name, credential };
    const cacheKey = toPromptCacheKey(baseUrl, request.sessionKey);
    const reader = createChatCompletionReader({ context, request, limits, onText });
    await client.post({
      path: "chat/completions",
      headers: credential === undefined ? {} : { authorization: `Bearer ${credential.reveal()}` },
      body: toChatCompletionRequest(model, request, dialect, cacheKey),
      model: model.name,
      credential,
      signal,
      onEvent: reader.take,
    });
    return reader.finish();
  };

  return {
    stream: async (call) => {
      let hasText = false;
      const onText = (delta: string): void => {
        hasText = true;
        call.onText(delta);
      };
      for (;;) {
        const dialect = dialects.get(call.model.id) ?? usualDialect;
        try {
          return await ask({ ...call, onText }, dialect);
        } catch (error) {
          const learned = learnDialect(error, dialect);
          if (learned === undefined || hasText) throw error;
          dialects.set(call.model.id, learned);
        }
      }
    },
    [Symbol.asyncDispose]: client[Symbol.asyncDispose],
  };
}

/** What a refusal teaches about the server; `undefined` when nothing, so that asking again would be in vain. */
function learnDialect(
  error: unknown,
  dialect: ChatCompletionDialect,
): ChatCompletionDialect | undefined {
  if (!(error instanceof ProviderError) || error.reason !== "invalid-request") return undefined;
  if (dialect.streamOptions && error.message.includes("stream_options"))
    return { ...dialect, streamOptions: false };
  if (dialect.outputLimit === "max_tokens" && error.message.includes("max_completion_tokens")) {
    return { ...dialect, outputLimit: "max_completion_tokens" };
  }
  // A conversation may have begun at another provider, which names calls in its own way.
  if (dialect.callIds === "own" && /tool call id .*length of 9/i.test(error.message))
    return { ...dialect, callIds: "short" };
  return undefined;
}
