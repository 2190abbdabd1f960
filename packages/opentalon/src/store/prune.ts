import type { Clock } from "../base/clock.ts";
import type { Database } from "./database.ts";
import type { StoreLimits } from "./ports.ts";
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
      database
        .deleteFrom("inbox")
        .where("id", "in", (rows) =>
          rows
            .selectFrom("inbox")
            .select("id")
            .where("id", "<", is.beforeId)
            .where("answered_at_ms", "<", is.beforeMs)
            .limit(is.limit),
        ),
    ),
    dropFinished: prepare((database, is: Before) =>
      database
        .deleteFrom("outbox")
        .where("id", "in", (rows) =>
          rows
            .selectFrom("outbox")
            .select("id")
            .where("id", "<", is.beforeId)
            .where("changed_at_ms", "<", is.beforeMs)
            .where("state", "in", ["delivered", "failed", "unknown"])
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
