import type { Secret } from "../base/secret.ts";
import type { Model, ModelReply, ModelRequest } from "../domain/model.ts";

/** One attempt at one model with one credential. */
export interface ModelAdapterCall {
  readonly model: Model;
  readonly request: ModelRequest;
  /** Absent for servers that want none. */
  readonly credential: Secret | undefined;
  /** The credential is an OAuth token, which every API takes as `Authorization: Bearer`. */
  readonly isToken?: boolean | undefined;
  readonly signal: AbortSignal;
  /** Told of the answer's text as it comes; must not throw. Never called after `stream` has settled. */
  readonly onText: (delta: string) => void;
}

/**
 * How one kind of model API is spoken. Adapters try once: which credential, how often and which model next is decided
 * in `call-model.ts`, by the `reason` of the error alone.
 */
export interface ModelAdapter extends AsyncDisposable {
  /**
   * Resolves with the complete reply; its text is exactly what `onText` was given.
   * @throws ProviderError, always, with its `reason` settled here; `cancelled` soon after `signal` aborts, with the
   * connection closed. Its message holds neither the credential nor request headers.
   */
  readonly stream: (call: ModelAdapterCall) => Promise<ModelReply>;
}

/** What bounds one attempt. */
export interface ModelCallLimits {
  /** From the request to the first piece of an answer (text, reasoning or a tool call). */
  readonly firstTokenTimeoutMs: number;
  /** Silence inside a reply. */
  readonly idleTimeoutMs: number;
  readonly totalTimeoutMs: number;
  /** Characters of text and tool arguments together. */
  readonly maxReplyLength: number;
  readonly maxToolCalls: number;
}

export const defaultModelCallLimits: ModelCallLimits = {
  firstTokenTimeoutMs: 60_000,
  idleTimeoutMs: 60_000,
  totalTimeoutMs: 600_000,
  maxReplyLength: 4 * 1024 * 1024,
  maxToolCalls: 128,
};
