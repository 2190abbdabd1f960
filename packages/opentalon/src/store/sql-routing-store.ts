import type { Clock } from "../base/clock.ts";
import { toCount } from "../base/count.ts";
import type { AnswerSignal } from "../domain/answer.ts";
import type { Connection, Database } from "./database.ts";
import type { RoutedAnswer, RoutingOutcome, RoutingStore } from "./ports.ts";
import { toSortableId } from "./sortable-id.ts";
import { toStorableText } from "./storable-text.ts";

export interface RoutingStoreOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly createId: () => string;
}

/** The one row of what was learnt. */
const stateName = "router";

export function createRoutingStore(options: RoutingStoreOptions): RoutingStore {
  const { database, clock, createId } = options;
  const statements = prepareStatements(database);
  return {
    outcomes: async (afterId, limit) => {
      const rows = await database.rows(statements.selectOutcomes, { afterId, limit });
      return rows.map((row): RoutingOutcome => ({
        id: row.id,
        model: row.model,
        task: row.task,
        features: row.features,
        tried: toNames(row.tried),
        cause: row.cause,
        inputTokens: row.input_tokens,
        outputTokens: row.output_tokens,
        cost: row.cost,
        strongestModel: row.strongest_model,
        strongestCost: row.strongest_cost,
        signalId: row.signal_id ?? "",
        signalledAtMs: row.signalled_at_ms ?? 0,
        accepted: row.accepted === 1,
        weight: row.weight,
      }));
    },
    signalIdAt: (agoMs) => toSortableId(clock.now() - agoMs),
    totals: async (sinceMs) => {
      const rows = await database.rows(statements.selectTotals, { sinceMs });
      return rows.map((row) => ({
        task: row.task,
        model: row.model,
        answers: Number(row.answers),
        accepted: Number(row.accepted ?? 0),
        rejected: Number(row.judged) - Number(row.accepted ?? 0),
        inputTokens: Number(row.input_tokens),
        outputTokens: Number(row.output_tokens),
        cost: Number(row.cost),
        strongestCost: Number(row.strongest_cost),
      }));
    },
    load: async () => {
      const [row] = await database.rows(statements.selectState, {});
      return row;
    },
    save: async ({ epoch, content }) => {
      const row = { epoch, content, nowMs: clock.now() };
      return (await database.change(statements.saveState, row)) > 0;
    },
    restart: async (content) => {
      const row = { epoch: createId(), content, nowMs: clock.now() };
      await database.change(statements.replaceState, row);
    },
  };
}

/** What the commit of a turn adds to the history, inside its transaction. */
export interface RoutingWriter {
  readonly addAnswer: (
    connection: Connection,
    answer: RoutedAnswer,
    nowMs: number,
  ) => Promise<void>;
  readonly judge: (connection: Connection, signal: AnswerSignal, nowMs: number) => Promise<void>;
}

export function createRoutingWriter(
  options: Pick<RoutingStoreOptions, "database" | "createId">,
): RoutingWriter {
  const { database, createId } = options;
  const { insertAnswer, judge } = prepareStatements(database);
  return {
    addAnswer: async (
      connection: Connection,
      answer: RoutedAnswer,
      nowMs: number,
    ): Promise<void> => {
      await connection.change(insertAnswer, {
        ...answer,
        model: toStorableText(answer.model),
        tried: toStorableText(JSON.stringify(answer.tried)),
        inputTokens: toCount(answer.inputTokens),
        outputTokens: toCount(answer.outputTokens),
        strongestModel: toStorableText(answer.strongestModel),
        nowMs,
      });
    },
    judge: async (
      connection: Connection,
      { answerId, accepted, weight }: AnswerSignal,
      nowMs: number,
    ): Promise<void> => {
      const verdict = { id: answerId, accepted: accepted ? 1 : 0, weight };
      await connection.change(judge, { ...verdict, signalId: createId(), nowMs });
    },
  };
}

function toNames(text: string): readonly string[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter((name) => typeof name === "string") : [];
  } catch {
    return [];
  }
}

interface NewAnswer extends RoutedAnswer {
  readonly nowMs: number;
}

interface Verdict {
  readonly id: string;
  readonly accepted: number;
  readonly weight: number;
  readonly signalId: string;
  readonly nowMs: number;
}

interface NewState {
  readonly epoch: string;
  readonly content: string;
  readonly nowMs: number;
}

function toStateRow({ epoch, content, nowMs }: NewState) {
  return { name: stateName, epoch, content, updated_at_ms: nowMs };
}

function prepareStatements({ prepare }: Database) {
  return {
    insertAnswer: prepare((database, row: Omit<NewAnswer, "tried"> & { readonly tried: string }) =>
      database.insertInto("routing_history").values({
        id: row.id,
        model: row.model,
        task: row.task,
        features: row.features,
        tried: row.tried,
        cause: row.cause,
        input_tokens: row.inputTokens,
        output_tokens: row.outputTokens,
        cost: row.cost,
        strongest_model: row.strongestModel,
        strongest_cost: row.strongestCost,
        created_at_ms: row.nowMs,
        accepted: null,
        weight: 1,
        signal_id: null,
        signalled_at_ms: null,
      }),
    ),
    judge: prepare((database, is: Verdict) =>
      database
        .updateTable("routing_history")
        .set({
          accepted: is.accepted,
          weight: is.weight,
          signal_id: is.signalId,
          signalled_at_ms: is.nowMs,
        })
        .where("id", "=", is.id)
        .where((row) => row.or([row("signal_id", "is", null), row("weight", "<", is.weight)])),
    ),
    selectOutcomes: prepare((database, is: { afterId: string; limit: number }) =>
      database
        .selectFrom("routing_history")
        .selectAll()
        .where("signal_id", "is not", null)
        .where("signal_id", ">", is.afterId)
        .orderBy("signal_id")
        .limit(is.limit),
    ),
    selectTotals: prepare((database, is: { sinceMs: number }) =>
      database
        .selectFrom("routing_history")
        .select((row) => [
          "task",
          "model",
          row.fn.countAll().as("answers"),
          row.fn.count("accepted").as("judged"),
          row.fn.sum("accepted").as("accepted"),
          row.fn.sum("input_tokens").as("input_tokens"),
          row.fn.sum("output_tokens").as("output_tokens"),
          row.fn.sum("cost").as("cost"),
          row.fn.sum("strongest_cost").as("strongest_cost"),
        ])
        .where("created_at_ms", ">=", is.sinceMs)
        // A model that was passed over and never asked has no answer to count.
        .where("cause", "<>", "passed-over")
        .groupBy(["task", "model"])
        .orderBy("task")
        .orderBy("model"),
    ),
    selectState: prepare((database) =>
      database
        .selectFrom("routing_state")
        .select(["epoch", "content"])
        .where("name", "=", stateName),
    ),
    saveState: prepare((database, is: NewState) =>
      database
        .insertInto("routing_state")
        .values(toStateRow(is))
        .onConflict((conflict) =>
          conflict
            .column("name")
            .doUpdateSet((row) => ({
              content: row.ref("excluded.content"),
              updated_at_ms: row.ref("excluded.updated_at_ms"),
            }))
            .where((row) => row("routing_state.epoch", "=", row.ref("excluded.epoch"))),
        ),
    ),
    replaceState: prepare((database, is: NewState) =>
      database
        .insertInto("routing_state")
        .values(toStateRow(is))
        .onConflict((conflict) =>
          conflict.column("name").doUpdateSet((row) => ({
            epoch: row.ref("excluded.epoch"),
            content: row.ref("excluded.content"),
            updated_at_ms: row.ref("excluded.updated_at_ms"),
          })),
        ),
    ),
  };
}
