/**
 * What the author of a provider plugin writes down: which models there are, and how one of them is asked.
 */

/** Why there is no answer; what OpenTalon does next is decided by it, see `ProviderFailure`. */
export type FailureReason =
  | "rate-limited"
  | "billing"
  | "unauthorized"
  | "overloaded"
  | "context-too-long"
  | "invalid-request"
  | "content-filtered"
  | "unreachable"
  | "timed-out"
  | "broken-stream";

export interface ProviderFailureDetails {
  /**
   * `rate-limited`, `billing`, `unauthorized`: the credential rests and another one is tried. `overloaded`, `unreachable`,
   * `timed-out`, `broken-stream`: another model is tried, this one again after a pause. `invalid-request`: another model
   * is tried, unless `status` is 400 or 422. `context-too-long`: a shorter conversation is tried. `content-filtered`: nothing
   * else is tried.
   */
  readonly reason: FailureReason;
  /** For the operator's log, in one line. */
  readonly message?: string;
  /** How long the service wants to be left alone, in milliseconds. */
  readonly retryAfterMs?: number;
  /** Status of the service's HTTP answer. */
  readonly status?: number;
}

/**
 * Thrown by `complete` when there is no answer and it is known why. Of anything else that is thrown, a timeout counts as
 * `timed-out`, a failed connection as `unreachable`, and all the rest as `broken-stream`.
 */
export class ProviderFailure extends Error {
  readonly reason: FailureReason;
  readonly retryAfterMs: number | undefined;
  readonly status: number | undefined;

  constructor({ reason, message = reason, retryAfterMs, status }: ProviderFailureDetails) {
    super(message);
    this.name = "ProviderFailure";
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
    this.status = status;
  }
}

/** A model, and what is known of it. What the configuration says of the same model wins. */
export interface ModelDefinition {
  /** Name the model is asked by, up to 200 characters. */
  readonly id: string;
  /** Tokens it can read, its answer included. */
  readonly contextWindow?: number;
  /** Tokens it may write in one answer. */
  readonly maxTokens?: number;
  /** US dollars per million tokens. */
  readonly cost?: {
    readonly input: number;
    readonly output: number;
    /** Read out of a prompt cache; the price of `input` when absent. */
    readonly cachedInput?: number;
    /** Written into a prompt cache; the price of `input` when absent. */
    readonly cacheWrite?: number;
  };
  /** What it takes besides text. */
  readonly input?: readonly ("image" | "pdf" | "audio")[];
  /** Whether it takes tools and calls them. True unless said otherwise; with false they are described in the prompt. */
  readonly tools?: boolean;
}

/** One entry of a conversation. */
export type ConversationMessage =
  | { readonly role: "user"; readonly content: string; readonly files: readonly MessageFile[] }
  | {
      readonly role: "assistant";
      readonly content: string;
      readonly toolCalls: readonly EarlierToolCall[];
    }
  | {
      readonly role: "tool";
      readonly callId: string;
      readonly tool: string;
      readonly content: string;
      readonly isError: boolean;
    };

/** An image or another file that came with a message. */
export interface MessageFile {
  /** May be empty. */
  readonly name: string;
  /** Such as `image/png`. */
  readonly mimeType: string;
  readonly data: Uint8Array;
}

/** A call a model made earlier in the conversation, this one or another one. */
export interface EarlierToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** A tool the model may call. */
export interface OfferedTool {
  /** Letters, digits, `_` and `-`, at most 64. */
  readonly name: string;
  readonly description: string;
  /** JSON Schema of an object. */
  readonly inputSchema: Readonly<Record<string, unknown>>;
}

/** One question to one model. */
export interface CompletionRequest {
  /** `id` of the model. */
  readonly model: string;
  /** May be empty. */
  readonly system: string;
  /** Oldest first. */
  readonly messages: readonly ConversationMessage[];
  readonly tools: readonly OfferedTool[];
  /** Longest answer in tokens; `undefined` leaves it to the model. */
  readonly maxTokens: number | undefined;
  /** `low`, `medium` or `high`; `undefined` leaves it to the model. */
  readonly reasoningEffort: string | undefined;
  /** The same for all calls of one conversation. */
  readonly sessionKey: string;
}

/** What `complete` and `models` are told besides. */
export interface ProviderCallContext {
  /** The credential for this call, `undefined` when none is configured. Secret: use it, never show or keep it. */
  readonly credential: string | undefined;
  /** Aborts when the caller gave up. Hand it on to `fetch`. */
  readonly signal: AbortSignal;
}

/** A piece of an answer; a plain text is a piece of its text. */
export type CompletionPart =
  | string
  /** What the model thinks, which is not shown. An empty one is a sign of life. */
  | { readonly kind: "reasoning"; readonly text: string }
  /** Complete, its arguments as an object or as the JSON text the model wrote. */
  | {
      readonly kind: "tool-call";
      /** Empty or absent when the model gives none. */
      readonly id?: string;
      readonly name: string;
      readonly arguments: string | Readonly<Record<string, unknown>>;
    }
  /** Tokens of this call; the last one counts. */
  | {
      readonly kind: "usage";
      /** Read, those out of a cache included. */
      readonly inputTokens: number;
      /** Written, thoughts included. */
      readonly outputTokens: number;
      readonly cachedInputTokens?: number;
      readonly cacheWriteTokens?: number;
      readonly reasoningTokens?: number;
    }
  /** Why the answer ended. Needed only when it is cut off; nothing is read after it. */
  | {
      readonly kind: "finish";
      readonly reason: "stop" | "tool-calls" | "length" | "content-filter" | "other";
    };

export interface ProviderDefinition {
  /**
   * The models there are, in order of preference, or how to find out. May be left out when the configuration lists them.
   * Finding out has to take less than five seconds, or what `dial_timeout` says.
   */
  readonly models?:
    | readonly ModelDefinition[]
    | ((context: ProviderCallContext) => Promise<readonly ModelDefinition[]>);
  /**
   * Takes the `config` of the provider's entry, `{}` when there is none; called before anything else. A throw refuses the
   * configuration: the plugin does not start and the operator reads the message.
   */
  readonly onConfigure?: (config: Readonly<Record<string, unknown>>) => void | Promise<void>;
  /**
   * Asks a model once. Yields the answer as it comes; its end is the end of the answer. Throws `ProviderFailure` when there
   * is none. Never tries again by itself: OpenTalon has other credentials and models. Several may be under way at once.
   */
  readonly complete: (
    request: CompletionRequest,
    context: ProviderCallContext,
  ) => AsyncIterable<CompletionPart>;
}
