import type { Actor } from "../domain/actor.ts";
import type { Execution } from "../domain/plugin.ts";
import { metaPlugin, type Tool, toToolName } from "../domain/tool.ts";

/** On whose behalf and from where a call is made: what the host vouches for. */
export interface CallOrigin {
  readonly actor: Actor;
  readonly sessionKey: string;
  /** As the channel knows it. */
  readonly conversationId: string;
  readonly groupId?: string | undefined;
  /** Plugins the person may use; all when absent. */
  readonly allowedPlugins?: readonly string[] | undefined;
  readonly interactionKind?: string | undefined;
  readonly systemSource?: string | undefined;
  readonly lastUserMessageId?: string | undefined;
  /** Of the turn, for the log. */
  readonly trace?: string | undefined;
  /** Of the person, by server name, for plugins that act for them. */
  readonly credentialHeaders?: Execution["credentialHeaders"];
}

/**
 * The encoded arguments with those the host owns: whatever `tool` declares as a context argument is the host's value or
 * is not there at all, so that a model can never claim an identity.
 */
export function withContextArguments(
  tool: Tool,
  encoded: Readonly<Record<string, string>>,
  origin: CallOrigin,
  offered: readonly Tool[],
): Record<string, string> {
  const owned = new Map(Object.entries(toContextValues(origin, offered)));
  const values = Object.entries(encoded).filter(([name]) => !tool.contextArguments.includes(name));
  for (const name of tool.contextArguments) {
    const value = owned.get(name);
    if (value !== undefined && value !== "") values.push([name, value]);
  }
  return Object.fromEntries(values);
}

function toContextValues(
  origin: CallOrigin,
  offered: readonly Tool[],
): Record<string, string | undefined> {
  const { allowedPlugins } = origin;
  return {
    session_id: origin.sessionKey,
    conversation_id: origin.conversationId,
    allowed_plugins: allowedPlugins && JSON.stringify(allowedPlugins.toSorted()),
    // The core's own helpers are not tools anybody else may call.
    allowed_tools: JSON.stringify(
      offered
        .filter(({ plugin }) => plugin !== metaPlugin)
        .map(toToolName)
        .toSorted(),
    ),
    group_id: origin.groupId,
    entity_id: origin.actor,
    interaction_kind: origin.interactionKind,
    system_source: origin.systemSource,
    last_user_message_id: origin.lastUserMessageId,
  };
}
