import { ProviderError } from "../../base/errors.ts";
import type { ModelReply, ModelRequest, TokenUsage } from "../../domain/model.ts";
import type { CompletionEvent } from "../../plugins/provider-client.ts";
import { quote, toFailure } from "../wire/classify-failure.ts";
import type { FailureContext } from "../wire/classify-failure.ts";
import { createTokenUsage } from "../wire/create-token-usage.ts";
import type { ModelCallLimits } from "../model-adapter.ts";
import { toToolCalls } from "../wire/to-tool-calls.ts";
import type { RawToolCall } from "../wire/to-tool-calls.ts";

export interface PluginReplyReaderOptions {
  readonly context: FailureContext;
  readonly request: ModelRequest;
  readonly limits: ModelCallLimits;
  readonly onText: (delta: string) => void;
}

/** Puts one reply together from the events of a provider plugin. */
export interface PluginReplyReader {
  /** @throws ProviderError when the event is a failure or exceeds a limit. */
  readonly take: (event: CompletionEvent) => "token" | "alive";
  /** The reply, once the stream is over. @throws ProviderError when it is incomplete. */
  readonly finish: () => ModelReply;
}

/** However small they are: nobody writes an answer in so many pieces. */
const maxEvents = 1_000_000;
const maxRetryAfterMs = 3_600_000;

export function createPluginReplyReader(options: PluginReplyReaderOptions): PluginReplyReader {
  const { context, request, limits, onText } = options;
  const textParts: string[] = [];
  const calls: RawToolCall[] = [];
  let length = 0;
  let events = 0;
  let finishReason: ModelReply["finishReason"] | undefined;
  let usage: TokenUsage = { inputTokens: 0, outputTokens: 0 };

  const broken = (what: string): ProviderError => toFailure(context, "broken-stream", what);
  const grow = (text: string): void => {
    length += text.length;
    if (length > limits.maxReplyLength) throw broken("the answer exceeded the allowed size");
  };

  return {
    take: (event) => {
      events += 1;
      if (events > maxEvents) throw broken("the answer came in too many pieces");
      switch (event.kind) {
        case "text-delta":
          if (event.text === "") return "alive";
          grow(event.text);
          textParts.push(event.text);
          onText(event.text);
          return "token";
        case "reasoning-delta":
          grow(event.text);
          return event.text === "" ? "alive" : "token";
        case "tool-call": {
          const { id, name, argumentsJson } = event;
          grow(id + name + argumentsJson);
          if (calls.length >= limits.maxToolCalls)
            throw broken(`the answer held more than ${limits.maxToolCalls} tool calls`);
          calls.push({ id, name, arguments: argumentsJson });
          return "token";
        }
        case "usage":
          usage = createTokenUsage(event);
          return "alive";
        case "finish":
          finishReason = event.reason;
          return "token";
        case "failure":
          throw toRefusal(context, event);
        case "life":
          return "alive";
      }
    },
    finish: () => {
      const text = textParts.join("");
      if (finishReason === undefined) throw broken("the answer ended before it was complete");
      if (finishReason === "content-filter" && text === "" && calls.length === 0) {
        const what = "the provider's content filter withheld the answer";
        throw toFailure(context, "content-filtered", what);
      }
      return {
        text,
        toolCalls: toToolCalls(calls, request),
        finishReason: toFinishReason(finishReason, calls.length > 0),
        usage,
        model: context.model,
      };
    },
  };
}

function toRefusal(
  { model, credential }: FailureContext,
  failure: Extract<CompletionEvent, { readonly kind: "failure" }>,
): ProviderError {
  const { reason, retryAfterMs } = failure;
  const status = failure.status >= 100 && failure.status <= 599 ? failure.status : undefined;
  const shownStatus = status === undefined ? "" : ` (HTTP ${status})`;
  const quoted = quote(failure.message, credential);
  const said = quoted === "" ? "" : `: ${quoted}`;
  return new ProviderError(`${model} refused with ${reason}${shownStatus}${said}`, {
    reason,
    model,
    status,
    retryAfterMs: retryAfterMs === 0 ? undefined : Math.min(retryAfterMs, maxRetryAfterMs),
  });
}

function toFinishReason(
  reason: ModelReply["finishReason"],
  hasToolCalls: boolean,
): ModelReply["finishReason"] {
  if (reason === "length" || reason === "content-filter") return reason;
  if (hasToolCalls) return "tool-calls";
  return reason === "tool-calls" ? "other" : reason;
}
