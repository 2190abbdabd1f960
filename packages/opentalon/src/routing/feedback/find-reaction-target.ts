import type { InboundMessage } from "../../domain/message.ts";
import type { Session } from "../../domain/session.ts";
import type { PostedMessages } from "../../store/ports.ts";
import { type ExplicitSignal, readSignal } from "./read-signal.ts";

/** What a reaction is about, where that is something else than the newest answer. */
export type ReactionTarget =
  /** Something we said before, or elsewhere in the conversation. */
  | { readonly kind: "earlier"; readonly turnId: string }
  /** No answer of ours. */
  | { readonly kind: "stranger" };

export interface ReactionTargetRequest {
  readonly message: Pick<InboundMessage, "channel" | "conversationId" | "metadata">;
  readonly session: Pick<Session, "lastAnswer">;
  /** See `IntentRequest`; a command is always about the newest answer. */
  readonly command?: ExplicitSignal | undefined;
}

/**
 * Finds what `reaction_to` of a message names. `undefined` when it is the newest answer, or was what was said in its place
 * when there was none, and when that is not known: most channels do not tell what their messages are called.
 */
export async function findReactionTarget(
  { message, session: { lastAnswer }, command }: ReactionTargetRequest,
  posted: Pick<PostedMessages, "findTurn" | "hasTurn">,
): Promise<ReactionTarget | undefined> {
  const { channel, conversationId, metadata } = message;
  const messageId = metadata["reaction_to"] ?? "";
  if (command !== undefined || messageId === "" || readSignal(metadata) === undefined)
    return undefined;
  const turnId = await posted.findTurn({ channel, conversationId, messageId });
  const newest = lastAnswer?.unansweredBy ?? lastAnswer?.id;
  if (turnId !== undefined) {
    const isNewest = turnId === newest || turnId === lastAnswer?.id;
    return isNewest ? undefined : { kind: "earlier", turnId };
  }
  const isTold = newest !== undefined && (await posted.hasTurn(newest));
  return isTold ? { kind: "stranger" } : undefined;
}
