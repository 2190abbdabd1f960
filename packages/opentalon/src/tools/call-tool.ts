/**
 * Gets: one call of a model, or of the host itself, and where it comes from.
 * Gives: a guarded result; every refusal and failure is one too, in words a model can act on.
 * Never: asks a plugin before every gate has said yes.
 */
import type { Clock } from "../base/clock.ts";
import { withDeadline } from "../base/deadline.ts";
import { formatDuration } from "../base/duration.ts";
import { toMessage } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Execution, RawToolResult } from "../domain/plugin.ts";
import {
  type CallConsent,
  metaPlugin,
  type Tool,
  type ToolCall,
  type ToolResult,
  toToolName,
} from "../domain/tool.ts";
import type { TurnEvent } from "../domain/turn.ts";
import {
  explainConfirmation,
  explainFormat,
  explainNobodyToAsk,
  explainProblems,
  explainTripwire,
  explainUnknown,
  explainUnloaded,
  toLogWords,
} from "./call-words.ts";
import { type CallOrigin, withContextArguments } from "./context-arguments.ts";
import { type ArgumentEncoding, encodeArguments } from "./encode-arguments.ts";
import { guardResult } from "./guard/guard-result.ts";
import type { Asker, Nesting } from "./nesting.ts";
import type { ToolLookup, ToolRegistry } from "./tool-registry.ts";
import type { SuspectCall, TripwireVerdict } from "./tripwire.ts";
import { createArgumentValidator } from "./validate-arguments.ts";

export interface ToolCallContext extends CallOrigin {
  readonly encoding: ArgumentEncoding;
  /** Whether a model asked for it. The host's own calls may reach tools for people and are not confirmed. */
  readonly fromModel: boolean;
  /** Whether a call of the host does what a person wants rather than what the operator configured. */
  readonly actsForPerson?: boolean | undefined;
  /** The plugin that asks for it in the middle of another call, when one does: believed no more than a model. */
  readonly asker?: Asker | undefined;
  /** What the call was made in the middle of; absent for an outermost one. */
  readonly nesting?: Nesting | undefined;
  /** Told of the calls a plugin has made in the middle of this one. Must not throw. */
  readonly onNested?: ((event: NestedCallEvent) => void) | undefined;
  /** Full names a model was told of and may call; all when absent. */
  readonly callable?: ReadonlySet<string> | undefined;
}

export type NestedCallEvent = Extract<TurnEvent, { kind: "tool-started" | "tool-finished" }>;

/** A call on its way, as the gates see it. */
export interface CheckedCall {
  readonly callId: string;
  readonly tool: Tool;
  /** As the plugin would get them. */
  readonly arguments: Readonly<Record<string, string>>;
  /** As the caller gave them, without what the host adds. */
  readonly given: Readonly<Record<string, unknown>>;
  readonly context: ToolCallContext;
  readonly signal: AbortSignal;
  readonly tripwire: ToolCallRequest["tripwire"];
}

export type GateVerdict =
  | { readonly kind: "allowed" }
  /** `reason` goes to the model and may be empty. */
  | { readonly kind: "refused"; readonly reason: string };

export interface ToolCallerOptions {
  readonly registry: Pick<ToolRegistry, "find" | "lookup" | "offered">;
  /** Asks the plugin. May reject. */
  readonly execute: (plugin: string, execution: Execution) => Promise<RawToolResult>;
  readonly clock: Clock;
  readonly log: Pick<Log, "debug" | "info" | "warn">;
  /** May the actor do this? A rejection or silence means no. */
  readonly permit?: (call: CheckedCall) => Promise<GateVerdict>;
  /**
   * Must the person agree first? Asked for a model's calls that change something and that nobody has agreed to yet. A
   * rejection or silence means yes.
   */
  readonly mustConfirm?: (call: CheckedCall) => Promise<boolean>;
  readonly defaultTimeoutMs: number;
  /** A tool's own limit. */
  readonly timeoutMsOf?: (tool: Tool) => number | undefined;
  /** Most bytes of each part of an answer. */
  readonly maxResponseBytes?: number | undefined;
  /** Takes what a plugin wants done in the middle of this call. */
  readonly takeCallbacks?: ((call: CheckedCall) => Execution["onCallback"]) | undefined;
}

export interface ToolCallRequest {
  readonly call: ToolCall;
  readonly context: ToolCallContext;
  /** The only plugin that may answer: `a` with `b__c` and `a__b` with `c` have the same full name. Any when absent. */
  readonly plugin?: string | undefined;
  readonly signal: AbortSignal;
  /** Most bytes of the arguments; what any plugin can take when absent. */
  readonly maxArgumentBytes?: number | undefined;
  /** A call of the host wants what is written for programs first, where there is such an answer. */
  readonly wantsStructured?: boolean | undefined;
  /**
   * Asked for a model's calls that change something: whether a tool has put it up to that, and with `mustAsk` whether the
   * person has agreed. When absent nobody can be asked, and what needs a word is refused.
   */
  readonly tripwire?: ((call: SuspectCall, mustAsk: boolean) => TripwireVerdict) | undefined;
  /** Awaited when all gates are passed, right before the plugin is asked; when it rejects, the plugin is not asked. */
  readonly onExecute?: (() => Promise<void>) | undefined;
}

/** Rejects only when `signal` aborts or `onExecute` rejects. */
export type CallTool = (request: ToolCallRequest) => Promise<ToolResult>;

/** What became of a call, before the guard has seen it. */
export interface CallOutcome {
  readonly answer: RawToolResult;
  /** No plugin was asked. */
  readonly byHost?: boolean;
  readonly consent?: CallConsent | undefined;
  /** Most bytes of each part; as usual when absent. */
  readonly maxBytes?: number | undefined;
}

/** As `CallTool`, for who guards the answer in another way. */
export type PerformCall = (request: ToolCallRequest) => Promise<CallOutcome>;

/** A permission that takes longer is a refusal, and what takes longer to be cleared is confirmed. */
const permitTimeoutMs = 10_000;
/** Plugins built with older SDKs take messages up to 4 MiB. */
const usualArgumentBytes = 3_500_000;

export function createToolCaller(options: ToolCallerOptions): CallTool {
  const perform = createPerformCall(options);
  return async (request) => {
    const { answer, byHost, consent, maxBytes } = await perform(request);
    const isForModel = request.context.fromModel || byHost === true;
    const result = guardResult(
      isForModel ? answer : toHostAnswer(answer, request.wantsStructured),
      maxBytes,
    );
    return {
      ...result,
      ...(byHost === true ? { byHost } : {}),
      ...(consent === undefined ? {} : { consent }),
    };
  };
}

export function createPerformCall(options: ToolCallerOptions): PerformCall {
  const { registry, clock, log, permit, mustConfirm } = options;
  const validator = createArgumentValidator({ log });

  /** What a model means is guessed; the host says exactly what it means, and gets that or nothing. */
  const resolve = ({ call: { name }, context, plugin }: ToolCallRequest): ToolLookup => {
    if (context.asker !== undefined) {
      const found = registry.lookup(name);
      // What helps a model with its tools is of no use to a plugin.
      return found.kind === "found" && found.tool.plugin === metaPlugin
        ? { kind: "unknown", similar: [] }
        : found;
    }
    if (context.fromModel) return registry.lookup(name);
    const tool = registry.find(name);
    return tool === undefined || (plugin !== undefined && tool.plugin !== plugin)
      ? { kind: "unknown", similar: [] }
      : { kind: "found", tool };
  };

  /** The tool and its arguments, or why not. */
  const check = async (request: ToolCallRequest): Promise<CheckedCall | Refusal> => {
    const { call, context, signal, maxArgumentBytes = usualArgumentBytes } = request;
    if (call.invalidArguments !== undefined)
      return toRefusal(explainFormat(call, context.encoding));
    const found = resolve(request);
    if (found.kind === "malformed") return toRefusal(explainFormat(call, context.encoding));
    if (found.kind === "unknown") return toRefusal(explainUnknown(call.name, found.similar));
    const { tool } = found;
    const name = toToolName(tool);
    const { allowedPlugins, callable } = context;
    if (tool.plugin !== metaPlugin && allowedPlugins?.includes(tool.plugin) === false) {
      return toRefusal(`${name} was not called: this person may not use ${tool.plugin}.`);
    }
    let values = call.arguments;
    if (isGuessed(context)) {
      if (tool.userOnly && context.asker?.isTrusted !== true) {
        return toRefusal(
          `${name} was not called: only people may use it. Tell the person to do it.`,
        );
      }
      if (callable?.has(name) === false) return toRefusal(explainUnloaded(name));
      const verdict = await validator.validate(tool, values);
      if (verdict.kind === "invalid") return toRefusal(explainProblems(name, verdict.problems));
      values = verdict.arguments;
    }
    const offered = registry.offered(context.allowedPlugins);
    const encoded = withContextArguments(
      tool,
      encodeArguments(values, context.encoding),
      context,
      offered,
    );
    if (sizeOf(encoded) > maxArgumentBytes) {
      return toRefusal(
        `${name} was not called: its arguments are larger than ${maxArgumentBytes} bytes.`,
      );
    }
    const { tripwire } = request;
    return { callId: call.id, tool, arguments: encoded, given: values, context, signal, tripwire };
  };

  /** Why a gate does not let the call pass, or what was agreed to on the way. */
  const passGates = async (checked: CheckedCall): Promise<Passage> => {
    const name = toToolName(checked.tool);
    const { signal, context, tripwire } = checked;
    const isJudged = isGuessed(context) && !checked.tool.readOnly;
    if (isJudged && context.asker?.mayChange === false)
      return {
        refusal: explainRefusal(name, "the call it is part of says it changes nothing", ""),
      };
    if (permit !== undefined) {
      const outcome = await withDeadline({ clock, timeoutMs: permitTimeoutMs, signal }, (limited) =>
        permit({ ...checked, signal: limited }),
      );
      if (outcome.kind === "timed-out")
        throw new Error("the permission check did not answer in time");
      if (outcome.value.kind !== "allowed")
        return { refusal: explainRefusal(name, "it is not permitted", outcome.value.reason) };
    }
    if (!isJudged) return { consent: undefined };
    const isNested = context.asker !== undefined;
    const suspect = { tool: checked.tool, arguments: checked.given, isNested };
    let verdict: TripwireVerdict = tripwire?.(suspect, false) ?? { kind: "clear" };
    if (verdict.kind === "clear" && (await needsWord(checked))) {
      // The word for the outer call is none for what comes of it.
      if (isNested) return { refusal: explainRefusal(name, unaskable, "it changes something") };
      if (tripwire === undefined) return { refusal: toRefusal(explainNobodyToAsk(name)) };
      verdict = tripwire(suspect, true);
    }
    if (verdict.kind === "clear") return { consent: undefined };
    const { consent } = verdict;
    const isInduced = consent.why === undefined;
    log[isInduced ? "warn" : "info"](
      { callId: checked.callId, tool: name, verdict: verdict.kind, actor: context.actor },
      toLogWords(verdict.kind, isInduced),
    );
    if (verdict.kind === "tripped") {
      if (isNested) {
        const reason = isInduced ? "the output of a tool asked for it" : "it changes something";
        return { refusal: explainRefusal(name, unaskable, reason) };
      }
      const words = isInduced ? explainTripwire(name) : explainConfirmation(name);
      return { refusal: { ...toRefusal(words), consent } };
    }
    return { consent };
  };

  /** Whatever keeps the question from being answered, the person is asked. */
  const needsWord = async (checked: CheckedCall): Promise<boolean> => {
    if (mustConfirm === undefined) return false;
    const { signal } = checked;
    try {
      const outcome = await withDeadline({ clock, timeoutMs: permitTimeoutMs, signal }, (limited) =>
        mustConfirm({ ...checked, signal: limited }),
      );
      return outcome.kind === "timed-out" || outcome.value;
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ problem: toMessage(error) }, "it is not known whether a call must be confirmed");
      return true;
    }
  };

  const execute = async (checked: CheckedCall): Promise<CallOutcome> => {
    const { tool, callId, signal, context } = checked;
    const timeoutMs = options.timeoutMsOf?.(tool) ?? options.defaultTimeoutMs;
    const startedAtMs = clock.now();
    const outcome = await withDeadline({ clock, timeoutMs, signal }, (limited) =>
      options.execute(tool.plugin, {
        callId,
        action: tool.action,
        arguments: checked.arguments,
        signal: limited,
        timeoutMs,
        credentialHeaders: isForPerson(context) ? context.credentialHeaders : undefined,
        onCallback: options.takeCallbacks?.(checked),
      }),
    );
    const durationMs = clock.now() - startedAtMs;
    log.debug({ callId, tool: toToolName(tool), durationMs, outcome: outcome.kind }, "tool called");
    if (outcome.kind === "done")
      return { answer: toTexts(outcome.value), maxBytes: options.maxResponseBytes };
    return toFailure(
      `plugin ${tool.plugin} did not answer within ${formatDuration(timeoutMs)} (action ${tool.action}). It was told to stop, but may have had an effect.`,
    );
  };

  return async (request) => {
    const { signal, call } = request;
    signal.throwIfAborted();
    /** A failure of the part that was to decide or to act is a result, except when nobody waits for it any more. */
    const orFailure = (error: unknown, prefix: string): CallOutcome => {
      signal.throwIfAborted();
      const problem = toMessage(error);
      log.warn({ callId: call.id, tool: call.name.slice(0, 200), problem }, "tool call failed");
      return toFailure(`${prefix}${problem}`);
    };
    let checked: CheckedCall | Refusal;
    let consent: CallConsent | undefined;
    try {
      checked = await check(request);
      if (!("tool" in checked)) return checked;
      const passage = await passGates(checked);
      if ("refusal" in passage) return passage.refusal;
      ({ consent } = passage);
    } catch (error) {
      return { ...orFailure(error, "the call was not made: "), byHost: true };
    }
    signal.throwIfAborted();
    await request.onExecute?.();
    let outcome: CallOutcome;
    try {
      outcome = await execute(checked);
    } catch (error) {
      outcome = orFailure(error, `plugin ${checked.tool.plugin} failed: `);
    }
    return { ...outcome, consent };
  };
}

type Refusal = CallOutcome & { readonly byHost: true };
type Passage = { readonly refusal: Refusal } | { readonly consent: CallConsent | undefined };

/** Whether what is meant may be a mistake or an attempt: of a model, or of a plugin. The host knows what it asks for. */
function isGuessed({ fromModel, asker }: ToolCallContext): boolean {
  return fromModel || asker !== undefined;
}

/** Steps the operator configured need none of the person's credentials. */
function isForPerson({ fromModel, actsForPerson }: ToolCallContext): boolean {
  return fromModel || actsForPerson === true;
}

/** A text of ours that may quote a plugin or a model. */
function toFailure(error: string): CallOutcome {
  return { answer: { content: "", error, structuredContent: "" } };
}

function toRefusal(error: string): Refusal {
  return { ...toFailure(error), byHost: true };
}

const unaskable = "the person has to agree to it, and cannot be asked in the middle of a call";

/** @throws TypeError when what should be texts is something else. */
function toTexts(raw: RawToolResult): RawToolResult {
  const { content, error, structuredContent } = raw;
  for (const text of [content, error, structuredContent])
    if (typeof text !== "string") throw new TypeError("it gave no answer that can be read");
  return { content, error, structuredContent };
}

/** The host's own calls ask for one answer: the content, or what is written for programs where there is no other. */
function toHostAnswer(raw: RawToolResult, wantsStructured = false): RawToolResult {
  const { content, error, structuredContent } = raw;
  const isStructured = content === "" || (wantsStructured && structuredContent !== "");
  return error === "" && isStructured
    ? { content: structuredContent, error, structuredContent: "" }
    : { content, error, structuredContent: "" };
}

function explainRefusal(name: string, why: string, reason: string): Refusal {
  return toRefusal(
    `${name} was not called: ${why}${reason === "" ? "" : ` (${reason})`}. Do not try again.`,
  );
}

function sizeOf(values: Readonly<Record<string, string>>): number {
  return Object.entries(values).reduce(
    (total, [name, value]) => total + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
}
