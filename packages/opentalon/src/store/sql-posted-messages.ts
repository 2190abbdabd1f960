import type { Clock } from "../base/clock.ts";
import type { Database } from "./database.ts";
import type { PostedMessages } from "./ports.ts";
import { toStorableKey } from "./storable-text.ts";

export interface PostedMessagesOptions {
  readonly database: Database;
  readonly clock: Clock;
}

/** Channels may be programs of anybody, so what one of them tells at once is bounded. */
export const maxPostedIds = 20;
/** Characters. */
export const maxPostedIdLength = 256;

export function createPostedMessages({ database, clock }: PostedMessagesOptions): PostedMessages {
  const { insert, select, selectTurn } = prepareStatements(database);
  return {
    add: async ({ turnId, channel, conversationId, messageIds }) => {
      const ids = messageIds.filter((id) => id !== "" && id.length <= maxPostedIdLength);
      if (ids.length === 0) return;
      const nowMs = clock.now();
      await database.write(async (connection) => {
        for (const messageId of ids.slice(0, maxPostedIds)) {
          const place = toPlace({ channel, conversationId, messageId });
          await connection.change(insert, { ...place, turnId, nowMs });
        }
      });
    },
    findTurn: async (message) => {
      const [row] = await database.rows(select, toPlace(message));
      return row?.turn_id;
    },
    hasTurn: async (turnId) => (await database.rows(selectTurn, { turnId })).length > 0,
  };
}

interface Place {
  readonly channel: string;
  readonly conversationId: string;
  readonly messageId: string;
}

function toPlace({ channel, conversationId, messageId }: Place): Place {
  return {
    channel: toStorableKey(channel),
    conversationId: toStorableKey(conversationId),
    messageId: toStorableKey(messageId),
  };
}

function prepareStatements({ prepare }: Database) {
  return {
    insert: prepare((database, row: Place & { turnId: string; nowMs: number }) =>
      database
        .insertInto("posted_messages")
        .values({
          channel: row.channel,
          conversation_id: row.conversationId,
          message_id: row.messageId,
          turn_id: row.turnId,
          posted_at_ms: row.nowMs,
        })
        .onConflict((conflict) =>
          conflict.columns(["channel", "conversation_id", "message_id"]).doUpdateSet((old) => ({
            turn_id: old.ref("excluded.turn_id"),
            posted_at_ms: old.ref("excluded.posted_at_ms"),
          })),
        ),
    ),
    select: prepare((database, is: Place) =>
      database
        .selectFrom("posted_messages")
        .select("turn_id")
        .where("channel", "=", is.channel)
        .where("conversation_id", "=", is.conversationId)
        .where("message_id", "=", is.messageId),
    ),
    selectTurn: prepare((database, is: { turnId: string }) =>
      database
        .selectFrom("posted_messages")
        .select("turn_id")
        .where("turn_id", "=", is.turnId)
        .limit(1),
    ),
  };
}
