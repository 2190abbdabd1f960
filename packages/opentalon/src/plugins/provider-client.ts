import type { ProviderFailureReason } from "../base/errors.ts";

/** A model as a provider plugin tells of it, unchecked. */
export interface ReportedModel {
  readonly id: string;
  readonly contextWindow: number;
  readonly maxTokens: number;
  readonly inputCost: number;
  readonly outputCost: number;
  readonly cachedInputCost: number;
  readonly cacheWriteCost: number;
  readonly input: readonly string[];
  readonly features: readonly string[];
}

/** A tool call on the wire, its arguments as text. */
export interface CompletionToolCall {
  readonly id: string;
  readonly name: string;
  readonly argumentsJson: string;
}

/** One entry of the conversation, ready to be sent. */
export type CompletionMessage =
  | {
      readonly kind: "user";
      readonly content: string;
      readonly files: readonly {
        readonly name: string;
        readonly mimeType: string;
        readonly data: Uint8Array;
      }[];
    }
  | {
      readonly kind: "assistant";
      readonly content: string;
      readonly toolCalls: readonly CompletionToolCall[];
    }
  | {
      readonly kind: "tool";
      readonly callId: string;
      readonly tool: string;
      readonly content: string;
      readonly isError: boolean;
    };

/** One question to one model of a provider plugin. All texts are well-formed. */
export interface Completion {
  readonly model: string;
  /** Revealed, because this is where it leaves the process; empty for none. */
  readonly credential: string;
  readonly system: string;
  readonly messages: readonly CompletionMessage[];
  readonly tools: readonly {
    readonly name: string;
    readonly description: string;
    readonly inputSchemaJson: string;
  }[];
  /** 0 leaves it to the model. */
  readonly maxTokens: number;
  /** Empty leaves it to the model. */
  readonly reasoningEffort: string;
  readonly sessionKey: string;
}

/** What a provider plugin said of a call, unchecked. Texts are well-formed. */
export type CompletionEvent =
  | { readonly kind: "text-delta"; readonly text: string }
  | { readonly kind: "reasoning-delta"; readonly text: string }
  | ({ readonly kind: "tool-call" } & CompletionToolCall)
  | {
      readonly kind: "usage";
      readonly input: number;
      readonly output: number;
      readonly cachedInput: number;
      readonly cacheWrite: number;
      readonly reasoning: number;
    }
  | {
      readonly kind: "finish";
      readonly reason: "stop" | "tool-calls" | "length" | "content-filter" | "other";
    }
  | {
      readonly kind: "failure";
      readonly reason: Exclude<ProviderFailureReason, "cancelled">;
      readonly message: string;
      /** 0 when it did not say. */
      readonly retryAfterMs: number;
      /** 0 when there was none. */
      readonly status: number;
    }
  /** Nothing but a sign of life. */
  | { readonly kind: "life" };

export interface CompletionOptions {
  readonly signal: AbortSignal;
  /** Told of each event in order, never after the promise has settled. What it throws ends the call. */
  readonly onEvent: (event: CompletionEvent) => void;
}

/**
 * A conversation with one running provider plugin. A new one is made for each process.
 *
 * Every method rejects at the latest when its signal aborts: with the signal's reason when that is a `PluginError`,
 * otherwise with a `PluginError` "timed-out" or "unavailable".
 */
export interface ProviderClient {
  /** Delivers the configuration, a JSON object as text; to be called first. */
  readonly init: (configJson: string, signal: AbortSignal) => Promise<void>;
  /** Empty when the plugin does not know the question. */
  readonly models: (credential: string, signal: AbortSignal) => Promise<readonly ReportedModel[]>;
  /**
   * Resolves when the plugin has ended its answer; whether that was complete is for the caller to see. Rejects with
   * `PluginError`, or with what `onEvent` threw; the plugin is told that nobody listens any more.
   */
  readonly complete: (completion: Completion, options: CompletionOptions) => Promise<void>;
  /** Ends the connection; calls under way reject. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}
