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

/**
 * Removes answered identities, finished deliveries (also the given up and the unknown) and journals without a turn, all
 * beyond the retention of identities.
 */
export function createPrune({ database, clock, limits }: PruneOptions): () => Promise<void> {
  const { dropAnswered, dropFinished, dropJournals } = prepareStatements(database);
  return async () => {
    const beforeMs = clock.now() - limits.identityRetentionMs;
    const before = { beforeMs, beforeId: toSortableId(beforeMs), limit: batchSize };
    for (const drop of [dropAnswered, dropFinished, dropJournals]) {
      while ((await database.change(drop, before)) > 0);
    }
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
          row("outbox.state", "in", ["delivered", "failed", "unknown"]),
        ]),
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
