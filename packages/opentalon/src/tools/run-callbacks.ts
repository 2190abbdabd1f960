/**
 * Gets: an action a plugin wants in the middle of a call, and that call. Gives: what the action answered, guarded.
 * Never: believes what the plugin says of itself or of who it acts for, unless the operator trusts it.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { CallbackRequest, Execution, RawToolResult } from "../domain/plugin.ts";
import { toToolName } from "../domain/tool.ts";
import type { CheckedCall, PerformCall, ToolCallContext } from "./call-tool.ts";
import type { CallOrigin } from "./context-arguments.ts";
import { guardParts } from "./guard/guard-result.ts";
import type { Asker } from "./nesting.ts";

export interface CallbackRunnerOptions {
  readonly perform: PerformCall;
  /** Plugins, by key, that may have tools run in a message's way and say for whom. */
  readonly isTrusted: (key: string) => boolean;
  /** What OpenTalon itself offers to plugins alone, by plugin name; never offered to models. */
  readonly ownActions: Readonly<
    Record<string, (request: CallbackRequest, signal: AbortSignal) => Promise<RawToolResult>>
  >;
  readonly clock: Pick<Clock, "now">;
  readonly log: Pick<Log, "debug" | "info">;
}

/** A calls B calls A calls B: deeper than this nothing is called. */
export const maxCallDepth = 4;
const maxIdentityLength = 512;
/** Actions one outermost call may have run, by whatever plugin on whatever level. */
export const maxNestedCalls = 1_000;

export function createCallbackRunner(
  options: CallbackRunnerOptions,
): (outer: CheckedCall) => NonNullable<Execution["onCallback"]> {
  const { perform, isTrusted, ownActions, clock, log } = options;

  return (outer) => {
    const { depth, budget } = outer.context.nesting ?? {
      depth: 0,
      budget: { left: maxNestedCalls },
    };
    let count = 0;

    const refuse = (key: string): string => {
      if (depth >= maxCallDepth)
        return `it was not called: plugins already wait for each other ${maxCallDepth} calls deep`;
      if (budget.left <= 0)
        return `it was not called: one call may have ${maxNestedCalls} actions run, and has`;
      // The same rule as for what a preparer answers: in a message's way only the operator's trust starts a tool.
      if (!isTrusted(key) && !outer.context.fromModel && outer.context.actsForPerson !== true)
        return "it was not called: before and after the model only a plugin with insecure: false may have actions run";
      return "";
    };

    return async (request, signal) => {
      const own = Object.hasOwn(ownActions, request.plugin)
        ? ownActions[request.plugin]
        : undefined;
      if (own !== undefined) return own(request, signal);
      const refusal = refuse(request.asker);
      if (refusal !== "") return toFailure(refusal);
      budget.left -= 1;
      count += 1;
      const callId = `${outer.callId}/${count}`;
      const asker: Asker = {
        key: request.asker,
        isTrusted: isTrusted(request.asker),
        mayChange: !outer.tool.readOnly,
      };
      const { given, claimed } = takeOutClaims(request.arguments);
      const identity = asker.isTrusted ? claimed : {};
      const { actor = "", groupId = "", sessionKey = "" } = identity;
      if ([actor, groupId, sessionKey].some((name) => name.length > maxIdentityLength))
        return toFailure("it was not called: a name of somebody is too long");
      const context: ToolCallContext = {
        ...actAs(outer.context, identity),
        encoding: "native",
        fromModel: false,
        actsForPerson: true,
        asker,
        nesting: { depth: depth + 1, budget },
        onNested: outer.context.onNested,
      };
      const name = toToolName(request).slice(0, 200).toWellFormed();
      const startedAtMs = clock.now();
      outer.context.onNested?.({ kind: "tool-started", callId, tool: name });
      let isError = true;
      try {
        const outcome = await perform({
          call: { id: callId, name: toToolName(request), arguments: given },
          context,
          signal,
          tripwire: outer.tripwire,
        });
        isError = outcome.answer.error !== "";
        const fields = {
          trace: context.trace,
          asker: asker.key,
          inside: toToolName(outer.tool),
          tool: name,
          actor: context.actor,
          depth: depth + 1,
          isError,
          durationMs: clock.now() - startedAtMs,
        };
        if (outcome.byHost === true)
          log.info(fields, "an action that a plugin asked for was refused");
        else if (context.actor === outer.context.actor)
          log.debug(fields, "a plugin had an action run");
        else
          log.info(fields, "a trusted plugin had an action run in the name of somebody it named");
        return guardParts(outcome.answer, outcome.maxBytes);
      } finally {
        const durationMs = clock.now() - startedAtMs;
        outer.context.onNested?.({
          kind: "tool-finished",
          callId,
          tool: name,
          isError,
          durationMs,
        });
      }
    };
  };
}

function toFailure(error: string): RawToolResult {
  return { content: "", error, structuredContent: "" };
}

interface Identity {
  readonly actor?: string | undefined;
  readonly groupId?: string | undefined;
  readonly sessionKey?: string | undefined;
}

const claims: Readonly<Record<string, keyof Identity>> = {
  __ot_cb_entity_id: "actor",
  __ot_cb_group_id: "groupId",
  __ot_cb_session_id: "sessionKey",
};

/** Arguments by which plugins say for whom they act never reach another plugin, believed or not. */
function takeOutClaims(args: Readonly<Record<string, string>>): {
  readonly given: Readonly<Record<string, string>>;
  readonly claimed: Identity;
} {
  const all = Object.entries(args);
  const isClaim = ([name]: readonly [string, string]): boolean => name.startsWith("__ot_cb_");
  const claimed = all.filter(isClaim).flatMap(([name, value]) => {
    const member = Object.hasOwn(claims, name) ? claims[name] : undefined;
    return member === undefined || value === "" ? [] : [[member, value]];
  });
  return {
    given: Object.fromEntries(all.filter((entry) => !isClaim(entry))),
    claimed: Object.fromEntries(claimed) as Identity,
  };
}

/**
 * The origin of a nested call. Whoever is named gets nothing of the person's own: neither their group nor their
 * credentials; the plugins this person may not use stay out of reach.
 */
function actAs(outer: CallOrigin, { actor, groupId, sessionKey }: Identity): CallOrigin {
  const { allowedPlugins, trace, interactionKind, systemSource } = outer;
  const isSomebody = actor !== undefined || groupId !== undefined;
  const who = isSomebody
    ? { actor: actor ?? outer.actor, groupId }
    : {
        actor: outer.actor,
        groupId: outer.groupId,
        credentialHeaders: outer.credentialHeaders,
      };
  const where =
    sessionKey === undefined || sessionKey === outer.sessionKey
      ? {
          sessionKey: outer.sessionKey,
          conversationId: outer.conversationId,
          lastUserMessageId: outer.lastUserMessageId,
        }
      : { sessionKey, conversationId: "" };
  return { allowedPlugins, trace, interactionKind, systemSource, ...who, ...where };
}
