/**
 * Errors, sorted by who has to act. Every one carries a stable `code`, which the documentation lists.
 * Expected outcomes are values, not errors: a failing tool is a result with `isError`, a refusing hook is a verdict.
 */
export abstract class OpenTalonError extends Error {
  /** Stable identifier, upper snake case, listed in docs/reference/errors.md. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

export type ConfigErrorCode =
  | "CONFIG_NOT_FOUND"
  | "CONFIG_UNREADABLE"
  | "CONFIG_SYNTAX"
  | "CONFIG_INVALID"
  | "CONFIG_VARIABLE_UNSET";

/** The operator has to change the configuration. */
export class ConfigError extends OpenTalonError {
  declare readonly code: ConfigErrorCode;
}

export type ProviderFailureReason =
  | "rate-limited"
  | "billing"
  | "unauthorized"
  | "overloaded"
  | "context-too-long"
  | "invalid-request"
  | "content-filtered"
  | "unreachable"
  | "timed-out"
  | "broken-stream"
  | "cancelled";

export interface ProviderErrorDetails {
  readonly reason: ProviderFailureReason;
  /** `provider/model` that failed. */
  readonly model: string;
  /** HTTP status, when there was an answer. */
  readonly status?: number | undefined;
  /** How long the provider asked us to wait. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

/** A model could not answer; failover reads `reason` and decides what is tried next. */
export class ProviderError extends OpenTalonError {
  readonly reason: ProviderFailureReason;
  readonly model: string;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: ProviderErrorDetails) {
    super(`PROVIDER_${details.reason.toUpperCase().replaceAll("-", "_")}`, message, {
      cause: details.cause,
    });
    this.reason = details.reason;
    this.model = details.model;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
  }
}

export type PluginFailureReason =
  | "handshake-failed"
  | "crashed"
  | "timed-out"
  | "protocol-violated"
  | "unavailable";

/** A plugin or channel process misbehaved; the supervisor restarts it, callers get a tool error. */
export class PluginError extends OpenTalonError {
  readonly reason: PluginFailureReason;
  readonly plugin: string;

  constructor(
    plugin: string,
    reason: PluginFailureReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`PLUGIN_${reason.toUpperCase().replaceAll("-", "_")}`, message, options);
    this.plugin = plugin;
    this.reason = reason;
  }
}

export type HookErrorCode =
  | "HOOK_FAILED"
  | "HOOK_TIMED_OUT"
  | "HOOK_OUT_OF_MEMORY"
  | "HOOK_INVALID_RESULT"
  | "HOOK_UNUSABLE";

/** A script of the operator failed; the message names it and, where it is known, the line. */
export class HookError extends OpenTalonError {
  declare readonly code: HookErrorCode;
  readonly script: string;
  /** 0 when it is not known. */
  readonly line: number;

  constructor(
    code: HookErrorCode,
    problem: string,
    { script, line = 0 }: { readonly script: string; readonly line?: number },
  ) {
    super(code, `lua:${script}${line > 0 ? `, line ${line}` : ""}: ${problem}`);
    this.script = script;
    this.line = line;
  }
}

export type SourceErrorCode =
  | "SOURCE_INVALID"
  | "SOURCE_MISSING"
  | "SOURCE_UNAVAILABLE"
  | "SOURCE_TIMED_OUT"
  | "SOURCE_TOO_LARGE"
  | "SOURCE_CHANGED"
  | "SOURCE_LOCK_UNUSABLE"
  | "SOURCE_TOOL_MISSING"
  | "SOURCE_BUILD_FAILED";

/** Code from a repository could not be fetched or built, or is not what was pinned; the operator acts. */
export class SourceError extends OpenTalonError {
  declare readonly code: SourceErrorCode;
  /** The last lines a failed build wrote, at most 20. */
  readonly lastLines: readonly string[];

  constructor(
    code: SourceErrorCode,
    message: string,
    { lastLines = [] }: { readonly lastLines?: readonly string[] } = {},
  ) {
    super(code, message);
    this.lastLines = lastLines;
  }
}

export type StoreErrorCode =
  | "STORE_LOCKED"
  | "STORE_CORRUPT"
  | "STORE_TOO_NEW"
  | "STORE_FOREIGN"
  | "STORE_FULL"
  | "STORE_UNREACHABLE"
  | "STORE_INBOX_FULL"
  | "STORE_FENCED"
  | "STORE_FAILED";

/** The operator has to look at the state database (or its disk). */
export class StoreError extends OpenTalonError {
  declare readonly code: StoreErrorCode;
}

export type ChannelErrorCode = "CHANNEL_UNSUPPORTED" | "CHANNEL_MISCONFIGURED" | "CHANNEL_REFUSED";

/** A channel could not start or its peer refused a message. */
export class ChannelError extends OpenTalonError {
  declare readonly code: ChannelErrorCode;
}

export type AuthErrorCode =
  | "AUTH_REFUSED"
  | "AUTH_EXPIRED"
  | "AUTH_UNREACHABLE"
  | "AUTH_TOKENS_UNUSABLE";

/** Signing in to a model provider, or staying signed in, failed; the operator acts. Its message holds no token. */
export class AuthError extends OpenTalonError {
  declare readonly code: AuthErrorCode;
}

export type BudgetErrorCode = "BUDGET_USED_UP" | "BUDGET_RESERVED";

/** A budget keeps a model from being asked; the message is for the person. */
export class BudgetError extends OpenTalonError {
  declare readonly code: BudgetErrorCode;
}

/** Whatever was thrown, as one line of text. */
export function toMessage(error: unknown): string {
  if (error instanceof Error) return error.message;
  return String(error);
}
