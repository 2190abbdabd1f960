import type { Clock } from "../base/clock.ts";
import { StoreError } from "../base/errors.ts";
import type { InboundMessage } from "../domain/message.ts";
import type { Database } from "./database.ts";
import { fromMessagePayload, toMessagePayload } from "./message-payload.ts";
import type { Inbox, InboxEntry, StoreLimits } from "./ports.ts";
import { toStorableKey } from "./storable-text.ts";

export interface InboxOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly limits: StoreLimits;
  /** This process, among all that ever work on the database. */
  readonly owner: string;
  readonly createId: () => string;
  /** Identifiers of what is unanswered, kept up to date by whoever answers; counting rows would cost more than writing one. */
  readonly unanswered: Set<string>;
}

interface NewRow {
  readonly id: string;
  readonly channel: string;
  readonly platformMessageId: string;
  readonly sessionKey: string;
  readonly payload: string;
  readonly body: string;
  readonly files: Uint8Array | null;
  readonly owner: string;
  readonly nowMs: number;
}

export function createInbox(options: InboxOptions): Inbox {
  const { database, clock, limits, owner, createId, unanswered } = options;
  const { insert, seize, isUnanswered } = prepareStatements(database);
  /** What failed without telling whether it is stored, by identity: a repeat must not be taken for a duplicate. */
  const uncertain = new Map<string, string>();

  const reserve = (): string => {
    if (unanswered.size >= limits.maxPending) {
      throw new StoreError(
        "STORE_INBOX_FULL",
        `${unanswered.size} messages wait for an answer, no more are taken`,
      );
    }
    const id = createId();
    unanswered.add(id);
    return id;
  };

  const accept: Inbox["accept"] = async (message, sessionKey) => {
    const id = reserve();
    const identity = JSON.stringify([message.channel, message.platformMessageId]);
    const isInserted = await database
      .change(insert, { ...toRow(message, sessionKey), id, owner, nowMs: clock.now() })
      .catch((error: unknown) => {
        unanswered.delete(id);
        if (uncertain.size < limits.maxPending) uncertain.set(identity, id);
        throw error;
      });
    const earlier = uncertain.get(identity);
    uncertain.delete(identity);
    if (isInserted === 1)
      return { kind: "accepted", entry: { id, sessionKey, message, attempt: 1 } };
    unanswered.delete(id);
    if (
      earlier === undefined ||
      (await database.rows(isUnanswered, { id: earlier, owner })).length === 0
    ) {
      return { kind: "duplicate" };
    }
    unanswered.add(earlier);
    return { kind: "accepted", entry: { id: earlier, sessionKey, message, attempt: 1 } };
  };

  return {
    accept,
    takeOver: async () => {
      const rows = await database.write((connection) => connection.rows(seize, { owner }));
      const entries = rows.map(({ id, attempt, ...stored }): InboxEntry => {
        return { id, attempt, ...fromMessagePayload<InboundMessage>(stored, database.place) };
      });
      for (const { id } of entries) unanswered.add(id);
      return entries.sort((one, other) => (one.id < other.id ? -1 : 1));
    },
    pending: async () => unanswered.size,
  };
}

function toRow(
  message: InboundMessage,
  sessionKey: string,
): Omit<NewRow, "id" | "owner" | "nowMs"> {
  return {
    channel: toStorableKey(message.channel),
    platformMessageId: toStorableKey(message.platformMessageId),
    sessionKey: toStorableKey(sessionKey),
    ...toMessagePayload(sessionKey, message),
  };
}

function prepareStatements({ prepare }: Database) {
  return {
    insert: prepare((database, row: NewRow) =>
      database
        .insertInto("inbox")
        .values({
          id: row.id,
          channel: row.channel,
          platform_message_id: row.platformMessageId,
          session_key: row.sessionKey,
          payload: row.payload,
          body: row.body,
          files: row.files,
          owner: row.owner,
          attempt: 1,
          accepted_at_ms: row.nowMs,
          answered_at_ms: null,
        })
        .onConflict((conflict) => conflict.columns(["channel", "platform_message_id"]).doNothing()),
    ),
    seize: prepare((database, by: { owner: string }) =>
      database
        .updateTable("inbox")
        .set((row) => ({ owner: by.owner, attempt: row("attempt", "+", 1) }))
        .where("answered_at_ms", "is", null)
        .where("owner", "<>", by.owner)
        .returning(["id", "attempt", "payload", "body", "files"]),
    ),
    isUnanswered: prepare((database, is: { id: string; owner: string }) =>
      database
        .selectFrom("inbox")
        .select("id")
        .where("id", "=", is.id)
        .where("owner", "=", is.owner)
        .where("answered_at_ms", "is", null),
    ),
  };
}
