/** What the author of a hook plugin writes down: functions the host calls at fixed places of a turn. */
import type { ToolDefinition } from "./define-tool.ts";

/** What a hook is told besides its text. Values the host does not know are empty. */
export interface HookContext {
  /** Who wrote the message: `<channel>:<sender>`. */
  readonly actor: string;
  /** The conversation, as OpenTalon names it. */
  readonly sessionId: string;
  /** The conversation, as the channel names it. */
  readonly conversationId: string;
  /** Aborts when the host gave up. */
  readonly signal: AbortSignal;
}

/** An action the host shall run; only for plugins with `insecure: false`. */
export interface InvokeStep {
  readonly plugin: string;
  readonly action: string;
  readonly args?: Readonly<Record<string, string>>;
}

/** A text goes on in place of the one given; an object ends the turn. */
export type GuardVerdict =
  | string
  /** Words for the person; no model is asked. */
  | { readonly refuse: string };

export type PrepareVerdict =
  | GuardVerdict
  /** These actions run instead, one after another; the last result is the answer. At most 16. */
  | { readonly invoke: readonly InvokeStep[] };

export interface SpokenSound {
  readonly data: Uint8Array;
  /** Such as `audio/ogg`. */
  readonly mimeType: string;
}

type OrPromise<Value> = Value | Promise<Value>;

/**
 * At least one function. What it throws makes the hook fail: the configuration (`fail_open`) says what happens then, and
 * a failed `check` is a no.
 */
export interface HookDefinition {
  /** Name of the plugin: letters, digits, `_` and `-`, 52 characters at most. */
  readonly name: string;
  /** What the plugin is for, in one sentence. */
  readonly description: string;
  /** Takes the `config` of the plugin's entry, see `ToolDefinition`. */
  readonly onConfigure?: ToolDefinition<Record<string, never>>["onConfigure"];
  /**
   * Sees each message before the model (action `prepare` in `content_preparers`). `searchText` is the message with what
   * was said right before it, for hooks that look something up.
   */
  readonly prepare?: (
    message: { readonly text: string; readonly searchText: string },
    context: HookContext,
  ) => OrPromise<PrepareVerdict>;
  /**
   * Sees everything a model is about to be told for the first time: messages and results of tools (action `guard` with
   * `guard: true` in `content_preparers`).
   */
  readonly guard?: (text: string, context: HookContext) => OrPromise<GuardVerdict>;
  /**
   * Sees the model's answer before the person does (action `format` in `response_formatters`). `responseFormat` is what
   * the channel asks for, such as `slack` or `html`; it may be empty. An empty text leaves the answer as it is.
   */
  readonly format?: (
    answer: { readonly text: string; readonly responseFormat: string },
    context: HookContext,
  ) => OrPromise<string>;
  /** Whether `actor` may use `plugin` (`orchestrator.permission_plugin`). */
  readonly check?: (question: {
    readonly actor: string;
    readonly plugin: string;
  }) => OrPromise<boolean>;
  /** The words of a sound (action `transcribe` with `stt: true` in `content_preparers`). */
  readonly transcribe?: (sound: SpokenSound, context: HookContext) => OrPromise<string>;
}
