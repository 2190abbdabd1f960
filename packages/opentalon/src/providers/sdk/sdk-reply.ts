import type {
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  SharedV4ProviderMetadata,
} from "@ai-sdk/provider";
import type { ProviderError } from "../../base/errors.ts";
import type { ModelReply, ModelRequest, TokenUsage } from "../../domain/model.ts";
import { toFailure } from "../wire/classify-failure.ts";
import type { FailureContext } from "../wire/classify-failure.ts";
import { createTokenUsage } from "../wire/create-token-usage.ts";
import type { ModelCallLimits } from "../model-adapter.ts";
import { toSdkFailure } from "./sdk-failure.ts";
import type { Thought, ThoughtRecord } from "./thought-memory.ts";
import { toToolCalls } from "../wire/to-tool-calls.ts";
import type { RawToolCall } from "../wire/to-tool-calls.ts";

export interface SdkReplyReaderOptions {
  readonly context: FailureContext;
  readonly request: ModelRequest;
  readonly limits: ModelCallLimits;
  readonly onText: (delta: string) => void;
}

/** Puts one reply together from the parts of an SDK's stream. */
export interface SdkReplyReader {
  /** @throws ProviderError when the part is an error or exceeds a limit. */
  readonly take: (part: LanguageModelV4StreamPart) => "token" | "alive" | "done";
  /** The reply, once the stream is over. @throws ProviderError when it is incomplete. */
  readonly finish: () => { readonly reply: ModelReply; readonly record: ThoughtRecord };
}

interface OpenThought {
  text: string;
  metadata: SharedV4ProviderMetadata | undefined;
}

export function createSdkReplyReader(options: SdkReplyReaderOptions): SdkReplyReader {
  const { context, request, limits, onText } = options;
  const textParts: string[] = [];
  const calls: (RawToolCall & { readonly metadata: SharedV4ProviderMetadata | undefined })[] = [];
  const announcedCalls = new Set<string>();
  const thoughts = new Map<string, OpenThought>();
  let length = 0;
  let finishReason: LanguageModelV4FinishReason["unified"] | undefined;
  let usage: TokenUsage = { inputTokens: 0, outputTokens: 0 };

  const broken = (what: string): ProviderError => toFailure(context, "broken-stream", what);
  const grow = (text: string): void => {
    length += text.length;
    if (length > limits.maxReplyLength) throw broken("the answer exceeded the allowed size");
  };
  const countCall = (id: string): void => {
    announcedCalls.add(id);
    if (Math.max(announcedCalls.size, calls.length) > limits.maxToolCalls)
      throw broken(`the answer held more than ${limits.maxToolCalls} tool calls`);
  };
  const addThought = (
    id: string,
    text: string,
    metadata: SharedV4ProviderMetadata | undefined,
  ): void => {
    grow(text);
    const thought = thoughts.get(id) ?? { text: "", metadata: undefined };
    thoughts.set(id, thought);
    thought.text += text;
    if (metadata === undefined) return;
    grow(JSON.stringify(metadata));
    thought.metadata = mergeMetadata(thought.metadata, metadata);
  };

  return {
    take: (part) => {
      switch (part.type) {
        case "text-delta":
          if (part.delta === "") return "alive";
          grow(part.delta);
          textParts.push(part.delta);
          onText(part.delta);
          return "token";
        case "reasoning-start":
        case "reasoning-end":
          addThought(part.id, "", part.providerMetadata);
          return "token";
        case "reasoning-delta":
          addThought(part.id, part.delta, part.providerMetadata);
          return "token";
        case "tool-input-start":
          grow(part.id + part.toolName);
          countCall(part.id);
          return "token";
        case "tool-input-delta":
          grow(part.delta);
          return "token";
        case "tool-call": {
          if (part.providerExecuted === true) return "token";
          if (!announcedCalls.has(part.toolCallId)) grow(part.toolName + part.input);
          const { toolCallId: id, toolName: name, input, providerMetadata: metadata } = part;
          calls.push({ id, name, arguments: input, metadata });
          countCall(id);
          return "token";
        }
        case "error":
          throw toSdkFailure(part.error, context);
        case "finish": {
          // An SDK that was told no reason invents this one.
          finishReason = isInvented(part.finishReason) ? undefined : part.finishReason.unified;
          const { inputTokens, outputTokens } = part.usage;
          usage = createTokenUsage({
            input: inputTokens.total,
            output: outputTokens.total,
            cachedInput: inputTokens.cacheRead,
            cacheWrite: inputTokens.cacheWrite,
            reasoning: outputTokens.reasoning,
          });
          return "done";
        }
        default:
          return "alive";
      }
    },
    finish: () => {
      const text = textParts.join("");
      const isEmpty = text === "" && calls.length === 0;
      if (finishReason === undefined || finishReason === "interrupted")
        throw broken("the answer ended before it was complete");
      if (finishReason === "error" && isEmpty) throw broken("the model gave up without an answer");
      if (finishReason === "content-filter" && isEmpty) {
        const what = "the provider's content filter withheld the answer";
        throw toFailure(context, "content-filtered", what);
      }
      const reply: ModelReply = {
        text,
        toolCalls: toToolCalls(calls, request),
        finishReason: toFinishReason(finishReason, calls.length > 0),
        usage,
        model: context.model,
      };
      const signed: Thought[] = [...thoughts.values()].filter(
        ({ metadata }) => metadata !== undefined,
      );
      return {
        reply,
        record: { thoughts: signed, callMetadata: calls.map(({ metadata }) => metadata) },
      };
    },
  };
}

function isInvented({ unified, raw }: LanguageModelV4FinishReason): boolean {
  return unified === "other" && raw === undefined;
}

function toFinishReason(
  reason: LanguageModelV4FinishReason["unified"],
  hasToolCalls: boolean,
): ModelReply["finishReason"] {
  if (reason === "length" || reason === "content-filter") return reason;
  if (hasToolCalls) return "tool-calls";
  return reason === "stop" ? "stop" : "other";
}

function mergeMetadata(
  known: SharedV4ProviderMetadata | undefined,
  added: SharedV4ProviderMetadata,
): SharedV4ProviderMetadata {
  const merged = { ...known };
  for (const [provider, data] of Object.entries(added))
    merged[provider] = { ...merged[provider], ...data };
  return merged;
}
