/** How `checkPlugin` looks at a plugin. */
export interface CheckOptions {
  /** What it is; found out when absent. */
  readonly kind?: PluginKind | undefined;
  /** The `config` of the plugin's entry; `{}` unless given. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  /** Variables the plugin gets beside the few that every plugin gets. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /**
   * Actions to call beside the harmless ones, with their arguments. Of a provider: models to ask, with what to say as `text`.
   * Give only what may really happen.
   */
  readonly calls?: readonly PlannedCall[] | undefined;
  readonly limits?: Partial<CheckLimits> | undefined;
  /** Called with each result as it is there. */
  readonly onResult?: ((result: RuleResult) => void) | undefined;
}

export type PluginKind = "tool" | "channel" | "provider";

export interface PlannedCall {
  readonly action: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** How long the plugin may take, in milliseconds. */
export interface CheckLimits {
  /** Until it says where it listens. */
  readonly handshakeMs: number;
  /** The same, for a plugin that starts as quickly as people expect. */
  readonly quickStartMs: number;
  /** For Init and Capabilities together. */
  readonly introductionMs: number;
  /** For one answer. */
  readonly callMs: number;
  /** From SIGINT to its end. */
  readonly stopMs: number;
}

export const defaultLimits: CheckLimits = {
  handshakeMs: 60_000,
  quickStartMs: 10_000,
  introductionMs: 5_000,
  callMs: 10_000,
  stopMs: 5_000,
};

/** What was found for one rule. */
export interface RuleResult {
  readonly rule: string;
  readonly level: "must" | "should" | "info";
  readonly title: string;
  readonly outcome: "kept" | "broken" | "not-applicable";
  /** What was seen; may be empty. */
  readonly why: string;
  /** How to mend it; empty unless it is broken. */
  readonly remedy: string;
}

export interface CheckReport {
  readonly kind: PluginKind;
  /** What it speaks: gRPC, the length-prefixed JSON of the first generation, or unknown. */
  readonly wire: "grpc" | "json" | "unknown";
  readonly results: readonly RuleResult[];
  /** Whether no `must` rule is broken. */
  readonly isUsable: boolean;
}
