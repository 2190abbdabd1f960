import type { ExpressionBuilder, OnConflictDatabase } from "kysely";
import type { Clock } from "../base/clock.ts";
import { StoreError } from "../base/errors.ts";
import type { Database } from "./database.ts";
import type { Journal, JournalRecord } from "./ports.ts";
import type { Schema } from "./schema.ts";
import { toStorableKey } from "./storable-text.ts";

export interface JournalOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly owner: string;
  readonly createId: () => string;
}

interface Entry {
  readonly sequence: string;
  readonly turnId: string;
  readonly step: string;
  readonly state: JournalRecord["state"];
  readonly content: string;
  readonly nowMs: number;
  readonly owner: string;
}

/**
 * One row per step: `begin` writes it, `record` completes it (or writes it, for a step that needs no beginning).
 * Writing to a turn that was answered, or that another process has taken over, throws STORE_FENCED.
 */
export function createJournal({ database, clock, owner, createId }: JournalOptions): Journal {
  const { select, upsert } = prepareStatements(database);

  const write = async (
    turnId: string,
    step: string,
    state: JournalRecord["state"],
    value: unknown,
  ) => {
    const written = await database.change(upsert, {
      sequence: createId(),
      turnId,
      step: toStorableKey(step),
      state,
      content: JSON.stringify({ step, value }),
      nowMs: clock.now(),
      owner,
    });
    if (written > 0) return;
    throw new StoreError(
      "STORE_FENCED",
      `turn ${turnId} was answered or taken over by another process`,
    );
  };

  return {
    load: async (turnId) => {
      const rows = await database.rows(select, { turnId });
      return rows.map(({ state, content }) => {
        const { step, value } = JSON.parse(content) as { step: string; value?: unknown };
        return { step, state: state === "recorded" ? "recorded" : "started", value };
      });
    },
    begin: (turnId, step) => write(turnId, step, "started", undefined),
    record: (turnId, step, value) => write(turnId, step, "recorded", value),
  };
}

function prepareStatements({ prepare }: Database) {
  return {
    select: prepare((database, of: { turnId: string }) =>
      database
        .selectFrom("turn_journal")
        .select(["state", "content"])
        .where("turn_id", "=", of.turnId)
        .orderBy("sequence"),
    ),
    // A step that is recorded is written again as it is: no row written means that the turn is taken, and nothing else.
    upsert: prepare((database, entry: Entry) =>
      insertUnlessTaken(database, entry).onConflict((conflict) =>
        conflict
          .columns(["turn_id", "step"])
          .doUpdateSet({ state: unlessRecorded("state"), content: unlessRecorded("content") }),
      ),
    ),
  };
}

type QueryBuilder = Parameters<Parameters<Database["prepare"]>[0]>[0];

/** One statement checks and writes, so nothing can come between. The casts tell PostgreSQL the types of bare values. */
function insertUnlessTaken(database: QueryBuilder, entry: Entry) {
  return database
    .insertInto("turn_journal")
    .columns(["sequence", "turn_id", "step", "state", "content", "created_at_ms"])
    .expression((build) =>
      database
        .selectNoFrom([
          build.cast<string>(build.val(entry.sequence), "text").as("sequence"),
          build.cast<string>(build.val(entry.turnId), "text").as("turn_id"),
          build.cast<string>(build.val(entry.step), "text").as("step"),
          build.cast<string>(build.val(entry.state), "text").as("state"),
          build.cast<string>(build.val(entry.content), "text").as("content"),
          build.cast<number>(build.val(entry.nowMs), "bigint").as("created_at_ms"),
        ])
        .where((where) => where.not(where.exists(selectTaken(database, entry)))),
    );
}

/** The new value of a column, or the one it has when the step is recorded. */
function unlessRecorded(column: "state" | "content") {
  return (
    row: ExpressionBuilder<OnConflictDatabase<Schema, "turn_journal">, "turn_journal" | "excluded">,
  ) =>
    row
      .case()
      .when("turn_journal.state", "=", "recorded")
      .then(row.ref(`turn_journal.${column}`))
      .else(row.ref(`excluded.${column}`))
      .end();
}

function selectTaken(database: QueryBuilder, by: { turnId: string; owner: string }) {
  return database
    .selectFrom("inbox")
    .select("id")
    .where("id", "=", by.turnId)
    .where((row) => row.or([row("owner", "<>", by.owner), row("answered_at_ms", "is not", null)]));
}
