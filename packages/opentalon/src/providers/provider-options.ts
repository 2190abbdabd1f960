import type { Secret } from "../base/secret.ts";
import type { Model } from "../domain/model.ts";
import type { ProviderPlugin } from "../plugins/provider-plugins.ts";

/** Patience with one model: attempts after a failure that may pass by itself. */
export interface RetryOptions {
  /** Including the first one. */
  readonly maxAttempts: number;
  /** Wait before the second attempt; doubles from there. */
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  /** No further attempt begins later than this after the first one began. */
  readonly maxTotalMs: number;
}

export const defaultRetryOptions: RetryOptions = {
  maxAttempts: 4,
  initialDelayMs: 1_000,
  maxDelayMs: 20_000,
  maxTotalMs: 30_000,
};

/** The kind of API a provider speaks; `demo` is built in and needs no network, `plugin` is a program of its own. */
export type ProviderApi =
  | "openai-completions"
  | "openai-responses"
  | "anthropic-messages"
  | "google-generative-ai"
  | "google-vertex"
  | "bedrock-converse"
  | "demo"
  | "plugin";

/** Empty where it is not known. */
export interface CloudPlace {
  readonly region: string;
  readonly project: string;
  readonly location: string;
}

/** One entry of `models.providers`. */
export interface ProviderOptions {
  /** Key under `models.providers`; the part of a model's name before the slash. */
  readonly name: string;
  readonly api: ProviderApi;
  /** The API's usual address when absent. */
  readonly baseUrl?: string | undefined;
  /** Where a cloud's models run: AWS's region, Google's location and project. */
  readonly cloud?: CloudPlace | undefined;
  /** The program that speaks for it, where `api` is `plugin`. */
  readonly plugin?: ProviderPlugin | undefined;
  /** In order of preference; empty for servers that want none. */
  readonly credentials: readonly Secret[];
  readonly retry: RetryOptions;
  readonly models: readonly Model[];
}
