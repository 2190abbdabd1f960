import type { Expression, ExpressionBuilder, Kysely, SqlBool } from "kysely";
import type { Clock } from "../base/clock.ts";
import type { Database } from "./database.ts";
import type { StoreLimits } from "./ports.ts";
import type { Schema } from "./schema.ts";
import { toSortableId } from "./sortable-id.ts";

export interface PruneOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly limits: StoreLimits;
}

/** Rows per transaction: other writes go in between. */
const batchSize = 500;
/** Long enough for reports; what was learnt fades within weeks anyway. */
const routingRetentionMs = 180 * 24 * 3_600_000;
/** Each may be of many megabytes. */
const fileBatchSize = 20;

/**
 * Removes answered identities, finished deliveries (also the given up and the unknown), what replies are called on
 * their platforms and journals without a turn, all beyond the retention of identities, the bytes of files beyond theirs, and what plugins kept for a time that is over.
 */
export function createPrune({ database, clock, limits }: PruneOptions): () => Promise<void> {
  const statements = prepareStatements(database);
  const { dropAnswered, dropFinished, dropPosted, dropJournals } = statements;
  const { dropFiles, dropRouted, dropEnded } = statements;
  return async () => {
    const beforeMs = clock.now() - limits.identityRetentionMs;
    const before = { beforeMs, beforeId: toSortableId(beforeMs), limit: batchSize };
    for (const drop of [dropAnswered, dropFinished, dropPosted, dropJournals]) {
      while ((await database.change(drop, before)) > 0);
    }
    const routedBeforeMs = clock.now() - routingRetentionMs;
    while ((await database.change(dropRouted, { beforeMs: routedBeforeMs, limit: batchSize })) > 0);
    while ((await database.change(dropEnded, { nowMs: clock.now(), limit: batchSize })) > 0);
    const old = { before: new Date(clock.now() - limits.fileRetentionMs).toISOString() };
    while ((await database.change(dropFiles, { ...old, limit: fileBatchSize })) > 0);
  };
}

interface Before {
  readonly beforeMs: number;
  /** Identifiers hold the time they were made at, so the primary key finds the old rows without another index. */
  readonly beforeId: string;
  readonly limit: number;
}

function prepareStatements({ prepare }: Database) {
  return {
    dropAnswered: prepare((database, is: Before) =>
      drop(database, "inbox", is, (row) => row("inbox.answered_at_ms", "<", is.beforeMs)),
    ),
    dropFinished: prepare((database, is: Before) =>
      drop(database, "outbox", is, (row) =>
        row.and([
          row("outbox.changed_at_ms", "<", is.beforeMs),
          row("outbox.state", "in", ["delivered", "failed", "unknown", "dropped"]),
        ]),
      ),
    ),
    dropPosted: prepare((database, is: Before) =>
      database
        .deleteFrom("posted_messages")
        .where((row) =>
          row(
            row.refTuple("channel", "conversation_id", "message_id"),
            "in",
            row
              .selectFrom("posted_messages")
              .select(["channel", "conversation_id", "message_id"])
              .where("turn_id", "<", is.beforeId)
              .where("posted_at_ms", "<", is.beforeMs)
              .limit(is.limit)
              .$asTuple("channel", "conversation_id", "message_id"),
          ),
        ),
    ),
    dropFiles: prepare((database, is: { before: string; limit: number }) =>
      database
        .updateTable("messages")
        .set({ files: null })
        .where((row) =>
          row(
            row.refTuple("session_id", "seq"),
            "in",
            row
              .selectFrom("messages")
              .select(["session_id", "seq"])
              .where("files", "is not", null)
              .where("created_at", "<", is.before)
              .limit(is.limit)
              .$asTuple("session_id", "seq"),
          ),
        ),
    ),
    dropEnded: prepare((database, is: { nowMs: number; limit: number }) =>
      database
        .deleteFrom("plugin_entries")
        .where((row) =>
          row(
            row.refTuple("plugin", "key"),
            "in",
            row
              .selectFrom("plugin_entries")
              .select(["plugin", "key"])
              .where("ends_at_ms", "<=", is.nowMs)
              .limit(is.limit)
              .$asTuple("plugin", "key"),
          ),
        ),
    ),
    dropRouted: prepare((database, is: Pick<Before, "beforeMs" | "limit">) =>
      database
        .deleteFrom("routing_history")
        .where("id", "in", (rows) =>
          rows
            .selectFrom("routing_history")
            .select("id")
            .where("created_at_ms", "<", is.beforeMs)
            .limit(is.limit),
        ),
    ),
    dropJournals: prepare((database, is: Before) =>
      database.deleteFrom("turn_journal").where("sequence", "in", (rows) =>
        rows
          .selectFrom("turn_journal")
          .select("sequence")
          .where("created_at_ms", "<", is.beforeMs)
          .where("turn_id", "not in", (turns) =>
            turns.selectFrom("inbox").select("id").where("answered_at_ms", "is", null),
          )
          .limit(is.limit),
      ),
    ),
  };
}

type Row = ExpressionBuilder<Schema, "inbox" | "outbox">;

/** Deletes a batch of what is old and `isDone`. */
function drop(
  database: Kysely<Schema>,
  table: "inbox" | "outbox",
  { beforeId, limit }: Before,
  isDone: (row: Row) => Expression<SqlBool>,
) {
  const old = database.selectFrom(table).select("id").where("id", "<", beforeId);
  return database.deleteFrom(table).where("id", "in", old.where(isDone).limit(limit));
}
