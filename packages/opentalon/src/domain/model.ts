import type { TranscriptMessage } from "./session.ts";
import type { ToolCall } from "./tool.ts";

/** What a model can be given besides text. */
export type ModelInput = "text" | "image" | "pdf" | "audio";

/** USD per million tokens. */
export interface ModelCost {
  readonly input: number;
  readonly output: number;
  /** Input that comes out of the provider's prompt cache; the price of `input` when absent. */
  readonly cachedInput?: number | undefined;
  /** Input that is written into the cache, where the provider bills it apart; the price of `input` when absent. */
  readonly cacheWrite?: number | undefined;
}

/** A model the configuration knows, ready to be ranked. */
export interface Model {
  /** `provider/id`, how people and configuration name it. */
  readonly name: string;
  readonly provider: string;
  readonly id: string;
  /** Whether tools go over the provider's own tool calls (`true`) or as text in the prompt. */
  readonly nativeTools: boolean;
  /** Tokens; 0 when unknown. */
  readonly contextWindow: number;
  /** Output limit in tokens; 0 leaves it to the provider. */
  readonly maxTokens: number;
  /** What it takes; always `text`. */
  readonly input: readonly ModelInput[];
  readonly cost: ModelCost;
  readonly reasoningEffort?: string | undefined;
}

/** A tool as a model is told of it. */
export interface ToolSpecification {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
}

export interface ModelRequest {
  readonly system: string;
  readonly messages: readonly TranscriptMessage[];
  readonly tools: readonly ToolSpecification[];
  /** Stable per session, for credential stickiness and prompt caches. */
  readonly sessionKey: string;
}

export interface TokenUsage {
  /** All input, cached or not. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Of the input, what came out of the provider's prompt cache; absent when it said nothing of one. */
  readonly cachedInputTokens?: number;
  /** Of the input, what was written into the prompt cache; absent where the provider does not bill it apart. */
  readonly cacheWriteTokens?: number;
  /** Of the output, what was thought and not said; absent when the provider said nothing of it. */
  readonly reasoningTokens?: number;
}

/** A complete reply of one model. */
export interface ModelReply {
  readonly text: string;
  readonly toolCalls: readonly ToolCall[];
  readonly finishReason: "stop" | "tool-calls" | "length" | "content-filter" | "other";
  readonly usage: TokenUsage;
  /** `provider/id` that answered. */
  readonly model: string;
}
