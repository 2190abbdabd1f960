import { type ExpressionBuilder, sql } from "kysely";
import type { Clock } from "../base/clock.ts";
import type { OutboundMessage } from "../domain/message.ts";
import type { Database } from "./database.ts";
import { fromMessagePayload } from "./message-payload.ts";
import type { Delivery, DeliveryState, Outbox } from "./ports.ts";
import type { Schema } from "./schema.ts";
import { toStorableText } from "./storable-text.ts";

export interface OutboxOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly owner: string;
}

/** The columns a delivery is made of. */
export const deliveryColumns = [
  "id",
  "turn_id",
  "payload",
  "body",
  "files",
  "state",
  "attempts",
  "due_at_ms",
  "problem",
  "parts_sent",
] as const;

interface DeliveryRow {
  readonly id: string;
  readonly turn_id: string;
  readonly payload: string;
  readonly body: string;
  readonly files: Uint8Array | null;
  readonly state: string;
  readonly attempts: number;
  readonly due_at_ms: number;
  readonly problem: string;
  readonly parts_sent: number;
}

export function toDelivery(row: DeliveryRow, place: string): Delivery {
  return {
    id: row.id,
    turnId: row.turn_id,
    ...fromMessagePayload<OutboundMessage>(row, place),
    state: row.state as DeliveryState,
    attempts: row.attempts,
    dueAtMs: row.due_at_ms,
    problem: row.problem,
    partsSent: row.parts_sent,
  };
}

/**
 * A delivered reply keeps where it went and loses its words and files: the session has the words. `list` gives the
 * newest first.
 */
export function createOutbox({ database, clock, owner }: OutboxOptions): Outbox {
  const statements = prepareStatements(database);
  const { selectWaiting, selectUndelivered, selectDelivered, interrupt, send, deliver, move } =
    statements;
  const toDeliveries = (rows: readonly DeliveryRow[]): readonly Delivery[] => {
    return rows.map((row) => toDelivery(row, database.place));
  };

  const change = async (
    id: string,
    state: DeliveryState,
    dueAtMs: number,
    problem: string,
  ): Promise<void> => {
    await database.change(move, {
      id,
      state,
      // Part of it comes from a platform; no wait may be one that the database refuses.
      dueAtMs: Math.min(Math.ceil(dueAtMs), Number.MAX_SAFE_INTEGER),
      problem: toStorableText(problem),
      nowMs: clock.now(),
    });
  };

  return {
    resolveInterrupted: async () => {
      const now = { owner, nowMs: clock.now(), problem: "interrupted while it was being sent" };
      const rows = await database.write((connection) => connection.rows(interrupt, now));
      return toDeliveries(rows.toSorted((one, other) => (one.id < other.id ? -1 : 1)));
    },
    waiting: async () => toDeliveries(await database.rows(selectWaiting, {})),
    markSending: async (id) =>
      (await database.change(send, { id, owner, nowMs: clock.now() })) === 1,
    markPartsSent: async (id, partsSent) => {
      await database.change(statements.part, { id, partsSent });
    },
    markDelivered: async (id) => {
      await database.change(deliver, { id, nowMs: clock.now() });
    },
    markWaiting: (id, dueAtMs, problem) => change(id, "waiting", dueAtMs, problem),
    markFailed: (id, problem) => change(id, "failed", clock.now(), problem),
    list: async (states, limit) => {
      const rows: DeliveryRow[] = [];
      for (const state of new Set(states)) {
        const select = state === "delivered" ? selectDelivered : selectUndelivered;
        rows.push(...(await database.rows(select, { state, limit })));
      }
      rows.sort((one, other) => (one.id < other.id ? 1 : -1));
      return toDeliveries(rows.slice(0, limit));
    },
    retry: async (id) => {
      const is = { id, nowMs: clock.now() };
      const rows = await database.write((connection) => connection.rows(statements.retry, is));
      return toDeliveries(rows)[0];
    },
    drop: async (id) => (await database.change(statements.drop, { id, nowMs: clock.now() })) === 1,
  };
}

interface Move {
  readonly id: string;
  readonly state: DeliveryState;
  readonly dueAtMs: number;
  readonly problem: string;
  readonly nowMs: number;
}

function prepareStatements({ prepare }: Database) {
  return {
    selectWaiting: prepare((database, _none: object) =>
      database
        .selectFrom("outbox")
        .select(deliveryColumns)
        .where("state", "=", "waiting")
        .where(isUndelivered)
        .orderBy("id"),
    ),
    selectUndelivered: prepare((database, is: { state: DeliveryState; limit: number }) =>
      selectNewest(database, is).where(isUndelivered),
    ),
    selectDelivered: prepare(selectNewest),
    interrupt: prepare((database, is: { owner: string; nowMs: number; problem: string }) =>
      database
        .updateTable("outbox")
        .set({ state: "unknown", problem: is.problem, changed_at_ms: is.nowMs })
        .where("state", "=", "sending")
        .where(isUndelivered)
        .where("owner", "<>", is.owner)
        .returning(deliveryColumns),
    ),
    send: prepare((database, is: { id: string; owner: string; nowMs: number }) =>
      database
        .updateTable("outbox")
        .set((row) => ({
          state: "sending",
          owner: is.owner,
          attempts: row("attempts", "+", 1),
          changed_at_ms: is.nowMs,
        }))
        .where("id", "=", is.id)
        .where("state", "=", "waiting"),
    ),
    part: prepare((database, is: { id: string; partsSent: number }) =>
      database.updateTable("outbox").set({ parts_sent: is.partsSent }).where("id", "=", is.id),
    ),
    retry: prepare((database, is: { id: string; nowMs: number }) =>
      database
        .updateTable("outbox")
        .set({
          state: "waiting",
          attempts: 0,
          due_at_ms: is.nowMs,
          problem: "",
          changed_at_ms: is.nowMs,
        })
        .where("id", "=", is.id)
        .where("state", "in", ["failed", "unknown"])
        .returning(deliveryColumns),
    ),
    drop: prepare((database, is: { id: string; nowMs: number }) =>
      database
        .updateTable("outbox")
        .set({ state: "dropped", body: "", files: null, changed_at_ms: is.nowMs })
        .where("id", "=", is.id)
        .where("state", "in", ["failed", "unknown", "waiting"]),
    ),
    deliver: prepare((database, is: { id: string; nowMs: number }) =>
      database
        .updateTable("outbox")
        .set({ state: "delivered", body: "", files: null, problem: "", changed_at_ms: is.nowMs })
        .where("id", "=", is.id),
    ),
    move: prepare((database, to: Move) =>
      database
        .updateTable("outbox")
        .set({
          state: to.state,
          due_at_ms: to.dueAtMs,
          problem: to.problem,
          changed_at_ms: to.nowMs,
        })
        .where("id", "=", to.id),
    ),
  };
}

type QueryBuilder = Parameters<Parameters<Database["prepare"]>[0]>[0];

function selectNewest(database: QueryBuilder, is: { state: DeliveryState; limit: number }) {
  return database
    .selectFrom("outbox")
    .select(deliveryColumns)
    .where("state", "=", is.state)
    .orderBy("id", "desc")
    .limit(is.limit);
}

/** Spelled as in the index of undelivered rows: that is how SQLite finds out that the index serves. */
function isUndelivered(row: ExpressionBuilder<Schema, "outbox">) {
  return row("state", "<>", sql.lit("delivered"));
}
