import type { Clock } from "../../base/clock.ts";
import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { SentMessage } from "../../domain/channel.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import type { Turn, TurnEvent } from "../../domain/turn.ts";
import { DeliveryError } from "../delivery-error.ts";
import type { BackgroundCalls } from "./background-calls.ts";
import type { ConversationMemory } from "./conversation-memory.ts";
import type { ChannelDefinition, RequestTemplate } from "./definition.ts";
import { findField, toText } from "./field-path.ts";
import { parseAnswer, RefusedError } from "./http-call.ts";
import { type ScopedMessage, toHookScope, toMessageLookup } from "./message-scope.ts";
import { createRecentKeys } from "./recent-keys.ts";
import type { SentMemory } from "./sent-memory.ts";
import type { SessionValues } from "./session-values.ts";
import { createStreamedReplies, toStreamKey } from "./streamed-replies.ts";

/** Brings replies to a platform: as new messages, or as the last edit of one that was shown while it was written. */
export interface MessageDelivery {
  readonly send: (message: OutboundMessage, deliveryId: string) => Promise<SentMessage | void>;
  readonly show: (turn: Turn, event: TurnEvent) => void;
  /** No more edits and typing signs. */
  readonly close: () => void;
}

export interface MessageDeliveryOptions {
  readonly definition: ChannelDefinition;
  readonly maxMessageLength: number;
  readonly values: SessionValues;
  readonly sent: SentMemory;
  readonly conversations: ConversationMemory;
  readonly hooks: BackgroundCalls;
  readonly clock: Clock;
  readonly log: Log;
}

const rememberMs = 3_600_000;

export function createMessageDelivery(options: MessageDeliveryOptions): MessageDelivery {
  const { definition, maxMessageLength, values, sent, conversations, hooks, clock, log } = options;
  const { outbound, capabilities } = definition;
  const { send, update, confirm, typing, storeId } = outbound;
  const hooked = createRecentKeys<true>(1_000, clock);

  const post = async (message: ScopedMessage): Promise<string> => {
    const isQuestion = message.metadata["type"] === "confirmation";
    if (isQuestion && confirm !== undefined) {
      try {
        return await postWith(confirm, message);
      } catch (error) {
        if (!isPlainRefusal(error)) throw error;
        // Too long for buttons: the words alone can be answered with words.
        log.warn({ problem: toMessage(error) }, "a question could not be asked with buttons");
      }
    }
    return postWith(send, message);
  };

  const postWith = async (
    request: RequestTemplate | undefined,
    message: ScopedMessage,
  ): Promise<string> => {
    if (request === undefined) {
      const problem = "the definition has no outbound.send: this channel only listens";
      throw new DeliveryError(problem, { outcome: "not-delivered" });
    }
    const result = await values.call(request, { msg: toMessageLookup(message) });
    const id = storeId === "" ? "" : toText(findField(parseAnswer(result), storeId));
    if (id !== "") sent.add(message.conversationId, message.threadId, id);
    return id;
  };

  const edit = async (message: ScopedMessage, id: string): Promise<void> => {
    if (update !== undefined) await values.call(update, { msg: toMessageLookup(message, id) });
  };

  const canStream = capabilities.edits && update !== undefined && storeId !== "";
  const streams = createStreamedReplies({
    isEnabled: canStream && send !== undefined,
    maxLength: maxMessageLength,
    intervalMs: outbound.streamIntervalMs,
    post,
    edit,
    clock,
    log,
  });

  const showTyping = (message: ScopedMessage): void => {
    if (typing === undefined) return;
    values.call(typing.request, { msg: toMessageLookup(message) }).catch((error: unknown) => {
      log.debug({ problem: toMessage(error) }, "a typing sign could not be shown");
    });
  };
  const typingTurns = new Map<string, () => void>();
  const stopTyping = (turnId: string): void => {
    typingTurns.get(turnId)?.();
    typingTurns.delete(turnId);
  };
  const keepTyping = (turn: Turn, left: number): void => {
    stopTyping(turn.id);
    if (typing === undefined || left <= 0) return;
    showTyping(turn.message);
    typingTurns.set(
      turn.id,
      clock.after(typing.intervalMs, () => keepTyping(turn, left - 1)),
    );
  };

  /** The message in which the reply is where it belongs now; `undefined` when it has to be posted. */
  const finishStream = async (message: OutboundMessage): Promise<string | undefined> => {
    const key = toStreamKey(message, message.metadata["in_reply_to"] ?? "");
    const shownId = await streams.end(key);
    if (shownId === undefined) {
      streams.forget(key);
      return undefined;
    }
    try {
      await edit(message, shownId);
    } catch (error) {
      const { retryAfterMs } = error as { retryAfterMs?: number | undefined };
      // An edit that had come through before.
      const isAlreadySo = error instanceof RefusedError && /not modified/i.test(error.message);
      if (isPlainRefusal(error) && !isAlreadySo) {
        log.warn({ problem: toMessage(error) }, "an answer could not be edited and is posted anew");
        streams.forget(key);
        return undefined;
      }
      // The same edit twice shows the same text.
      if (!isAlreadySo)
        throw new DeliveryError(toMessage(error), {
          outcome: "not-delivered",
          retryAfterMs,
          cause: error,
        });
    }
    streams.forget(key);
    return shownId;
  };

  return {
    send: async (given, deliveryId) => {
      const message = conversations.complete(given);
      if (message.metadata["_typing"] === "true") return showTyping(message);
      if (message.content === "" && message.files.length === 0) return undefined;
      const isQuestion = message.metadata["type"] === "confirmation" && confirm !== undefined;
      const shownId = isQuestion ? undefined : await finishStream(message);
      const id = shownId ?? (await post(message));
      const reply = deliveryId.replace(/#\d+$/, "");
      if (hooked.get(reply) !== true) {
        hooked.set(reply, true, rememberMs);
        hooks.add(definition.onResponse, toHookScope(message));
      }
      return { messageIds: id === "" ? [] : [id] };
    },
    show: (turn, event) => {
      if (event.kind === "turn-started") keepTyping(turn, maxTypingSigns);
      if (event.kind === "turn-finished") stopTyping(turn.id);
      streams.show(turn, event);
    },
    close: () => {
      for (const turn of typingTurns.keys()) stopTyping(turn);
      streams.close();
    },
  };
}

/** The platform will not take it, now or later. */
function isPlainRefusal(error: unknown): boolean {
  if (!(error instanceof RefusedError) || error.retryAfterMs !== undefined) return false;
  return error.status < 500 && ![401, 408, 429].includes(error.status);
}

/** A turn that takes longer than so many signs goes on without them. */
const maxTypingSigns = 100;
