import type { Clock } from "../base/clock.ts";
import { StoreError } from "../base/errors.ts";
import type { InboundMessage } from "../domain/message.ts";
import type { Database } from "./database.ts";
import { fromMessagePayload, toMessagePayload, toPayloadBytes } from "./message-payload.ts";
import type { Inbox, InboxEntry, StoreLimits } from "./ports.ts";
import { toStorableKey } from "./storable-text.ts";
import type { Unanswered } from "./unanswered.ts";

export interface InboxOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly limits: StoreLimits;
  /** This process, among all that ever work on the database. */
  readonly owner: string;
  readonly createId: () => string;
  /** Kept up to date by whoever answers, too. */
  readonly unanswered: Unanswered;
}

/** Messages a takeover moves at once: their old rows, their new ones and what is read of them stand in memory together. */
const takeOverBatch = 64;

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

  const reserve = (bytes: number): string => {
    const isFull =
      unanswered.count() >= limits.maxPending ||
      unanswered.bytes() + bytes > limits.maxPendingBytes;
    if (isFull) {
      throw new StoreError(
        "STORE_INBOX_FULL",
        `${unanswered.count()} messages of ${toMebibytes(unanswered.bytes())} MiB wait for an answer, no more are taken`,
      );
    }
    const id = createId();
    unanswered.add(id, bytes);
    return id;
  };

  const accept: Inbox["accept"] = async (message, sessionKey) => {
    const row = toRow(message, sessionKey);
    const bytes = toPayloadBytes(row);
    const id = reserve(bytes);
    const identity = JSON.stringify([message.channel, message.platformMessageId]);
    const acceptedAtMs = clock.now();
    const isInserted = await database
      .change(insert, { ...row, id, owner, nowMs: acceptedAtMs })
      .catch((error: unknown) => {
        unanswered.delete(id);
        if (uncertain.size < limits.maxPending) uncertain.set(identity, id);
        throw error;
      });
    const earlier = uncertain.get(identity);
    uncertain.delete(identity);
    if (isInserted === 1)
      return { kind: "accepted", entry: { id, sessionKey, message, attempt: 1, acceptedAtMs } };
    unanswered.delete(id);
    if (
      earlier === undefined ||
      (await database.rows(isUnanswered, { id: earlier, owner })).length === 0
    ) {
      return { kind: "duplicate" };
    }
    unanswered.add(earlier, bytes);
    const entry = { id: earlier, sessionKey, message, attempt: 1, acceptedAtMs };
    return { kind: "accepted", entry };
  };

  const seizeBatch = async (): Promise<readonly InboxEntry[]> => {
    const batch = { owner, limit: takeOverBatch };
    const rows = await database.write((connection) => connection.rows(seize, batch));
    return rows.map(({ id, attempt, accepted_at_ms: acceptedAtMs, ...stored }): InboxEntry => {
      unanswered.add(id, toPayloadBytes(stored));
      const told = fromMessagePayload<InboundMessage>(stored, database.place);
      return { id, attempt, ...told, acceptedAtMs };
    });
  };

  return {
    accept,
    takeOver: async () => {
      const entries: InboxEntry[] = [];
      for (;;) {
        const batch = await seizeBatch();
        entries.push(...batch);
        if (batch.length < takeOverBatch) break;
      }
      return entries.sort((one, other) => (one.id < other.id ? -1 : 1));
    },
    pending: async () => unanswered.count(),
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

function toMebibytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
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
    seize: prepare((database, by: { owner: string; limit: number }) =>
      database
        .updateTable("inbox")
        .set((row) => ({ owner: by.owner, attempt: row("attempt", "+", 1) }))
        .where("id", "in", (rows) =>
          rows
            .selectFrom("inbox")
            .select("id")
            .where("answered_at_ms", "is", null)
            .where("owner", "<>", by.owner)
            .orderBy("id")
            .limit(by.limit),
        )
        .returning(["id", "attempt", "payload", "body", "files", "accepted_at_ms"]),
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
