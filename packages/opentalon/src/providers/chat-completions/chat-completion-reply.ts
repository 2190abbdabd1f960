import { toCount } from "../../base/count.ts";
import type { ProviderError } from "../../base/errors.ts";
import type { ModelReply, ModelRequest, TokenUsage } from "../../domain/model.ts";
import { findComplaint, isRecord, quote, toFailure, toRefusal } from "../wire/classify-failure.ts";
import type { FailureContext } from "../wire/classify-failure.ts";
import type { EventOutcome } from "./event-stream-client.ts";
import { createTokenUsage } from "../wire/create-token-usage.ts";
import type { ModelCallLimits } from "../model-adapter.ts";
import { toToolCalls } from "../wire/to-tool-calls.ts";

export interface ChatCompletionReaderOptions {
  readonly context: FailureContext;
  readonly request: ModelRequest;
  readonly limits: ModelCallLimits;
  readonly onText: (delta: string) => void;
}

/** Puts one reply together from the events of a chat completion stream. */
export interface ChatCompletionReader {
  /** @throws ProviderError when the event is an error, cannot be read or exceeds a limit. */
  readonly take: (data: string) => EventOutcome;
  /** The reply, once the stream is over. @throws ProviderError when it is incomplete. */
  readonly finish: () => ModelReply;
}

interface OpenToolCall {
  id: string;
  name: string;
  arguments: string;
}

export function createChatCompletionReader(
  options: ChatCompletionReaderOptions,
): ChatCompletionReader {
  const { context, request, limits, onText } = options;
  const calls: OpenToolCall[] = [];
  const callByIndex = new Map<number, OpenToolCall>();
  const textParts: string[] = [];
  let length = 0;
  let finishReason: string | undefined;
  let isRefusal = false;
  let isDone = false;
  let usage: TokenUsage = { inputTokens: 0, outputTokens: 0 };

  const broken = (what: string): ProviderError => toFailure(context, "broken-stream", what);
  const grow = (text: string): void => {
    length += text.length;
    if (length > limits.maxReplyLength) throw broken("the answer exceeded the allowed size");
  };
  const addText = (text: unknown): boolean => {
    if (typeof text !== "string" || text === "") return false;
    grow(text);
    textParts.push(text);
    onText(text);
    return true;
  };
  const addContent = (content: unknown): boolean => {
    if (!Array.isArray(content)) return addText(content);
    let added = false;
    for (const part of content as unknown[]) {
      if (isRecord(part) && part["type"] === "text") added = addText(part["text"]) || added;
    }
    return added;
  };

  /** Servers label the pieces of a call by index, by identifier, or not at all. */
  const findCall = (index: unknown, id: string, name: string): OpenToolCall => {
    const known =
      typeof index === "number"
        ? callByIndex.get(index)
        : id === ""
          ? calls.at(name === "" ? -1 : calls.length)
          : calls.find((call) => call.id === id);
    const isAnother =
      known !== undefined && name !== "" && id !== "" && known.id !== "" && known.id !== id;
    if (known !== undefined && !isAnother) return known;
    if (calls.length >= limits.maxToolCalls)
      throw broken(`the answer held more than ${limits.maxToolCalls} tool calls`);
    const call = { id: "", name: "", arguments: "" };
    calls.push(call);
    if (typeof index === "number") callByIndex.set(index, call);
    return call;
  };
  const addToolCall = (delta: unknown): void => {
    if (!isRecord(delta)) return;
    const details = isRecord(delta["function"]) ? delta["function"] : {};
    const id = typeof delta["id"] === "string" ? delta["id"] : "";
    const name = typeof details["name"] === "string" ? details["name"] : "";
    const call = findCall(delta["index"], id, name);
    call.id ||= id;
    call.name ||= name;
    const piece = details["arguments"];
    const text = isRecord(piece) ? JSON.stringify(piece) : typeof piece === "string" ? piece : "";
    grow(id + name + text);
    call.arguments += text;
  };

  const addDelta = (delta: Readonly<Record<string, unknown>>): boolean => {
    let isToken = typeof (delta["reasoning_content"] ?? delta["reasoning"]) === "string";
    if (addContent(delta["content"])) isToken = true;
    if (addText(delta["refusal"])) isToken = isRefusal = true;
    if (Array.isArray(delta["tool_calls"])) {
      for (const call of delta["tool_calls"] as unknown[]) addToolCall(call);
      isToken = true;
    }
    return isToken;
  };

  return {
    take: (data) => {
      if (data === "[DONE]") {
        isDone = true;
        return "done";
      }
      const chunk = parseChunk(data);
      if (chunk === undefined) {
        throw broken(
          `the server sent an event that is not JSON: ${quote(data, context.credential)}`,
        );
      }
      const complaint = findComplaint(chunk);
      if (complaint !== undefined) throw toRefusal(context, 200, complaint);
      usage = toTokenUsage(chunk["usage"]) ?? usage;
      const choice: unknown = Array.isArray(chunk["choices"])
        ? (chunk["choices"] as unknown[])[0]
        : undefined;
      if (!isRecord(choice)) return "alive";
      // A server that does not stream answers with one `message` in place of the deltas.
      const delta = choice["delta"] ?? choice["message"];
      const isToken = isRecord(delta) && addDelta(delta);
      if (typeof choice["finish_reason"] !== "string") return isToken ? "token" : "alive";
      finishReason = choice["finish_reason"];
      return "token";
    },
    finish: () => {
      const text = textParts.join("");
      const isEmpty = text === "" && calls.length === 0;
      if (finishReason === undefined && (!isDone || isEmpty))
        throw broken("the answer ended before it was complete");
      if (finishReason === "content_filter" && isEmpty) {
        throw toFailure(
          context,
          "content-filtered",
          "the provider's content filter withheld the answer",
        );
      }
      return {
        text,
        toolCalls: toToolCalls(calls, request),
        finishReason: isRefusal ? "content-filter" : toFinishReason(finishReason, calls.length > 0),
        usage,
        model: context.model,
      };
    },
  };
}

function parseChunk(data: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function toTokenUsage(value: unknown): TokenUsage | undefined {
  if (!isRecord(value)) return undefined;
  const { prompt_tokens: input, completion_tokens: output, total_tokens: total } = value;
  const read = value["prompt_tokens_details"];
  const written = value["completion_tokens_details"];
  const cached = isRecord(read) ? read["cached_tokens"] : undefined;
  const reasoning = toCount(isRecord(written) ? written["reasoning_tokens"] : undefined);
  // Some servers count what was thought beside the output; the sum tells.
  const isApart = reasoning > 0 && toCount(total) === toCount(input) + toCount(output) + reasoning;
  return createTokenUsage({
    input,
    output: isApart ? toCount(output) + reasoning : output,
    cachedInput: cached ?? value["prompt_cache_hit_tokens"],
    reasoning,
  });
}

function toFinishReason(
  reason: string | undefined,
  hasToolCalls: boolean,
): ModelReply["finishReason"] {
  if (reason === "length") return "length";
  if (reason === "content_filter") return "content-filter";
  // Some servers say `stop` although they call tools.
  if (hasToolCalls) return "tool-calls";
  return reason === "stop" ? "stop" : "other";
}
