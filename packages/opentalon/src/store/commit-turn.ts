import type { Clock } from "../base/clock.ts";
import { toCount } from "../base/count.ts";
import { StoreError } from "../base/errors.ts";
import type { OutboundMessage } from "../domain/message.ts";
import type { UsageRow } from "../domain/usage.ts";
import type { Connection, Database } from "./database.ts";
import { toMessagePayload } from "./message-payload.ts";
import type { Delivery, InboxEntry, SessionChange, Store, StoreLimits } from "./ports.ts";
import { deliveryColumns, toDelivery } from "./sql-outbox.ts";
import { createBudgetWriter } from "./sql-budget-store.ts";
import { createRoutingWriter } from "./sql-routing-store.ts";
import { toAnswerColumn } from "./sql-session-store.ts";
import { toStorableKey, toStorableText } from "./storable-text.ts";
import { findOldestKept, sumKeptBytes } from "./transcript-files.ts";
import {
  readStoredFiles,
  toFilesColumn,
  toTranscriptRow,
  type TranscriptRow,
} from "./transcript-row.ts";
import type { Unanswered } from "./unanswered.ts";

export interface CommitTurnOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly owner: string;
  readonly createId: () => string;
  readonly unanswered: Pick<Unanswered, "delete">;
  readonly limits: Pick<StoreLimits, "maxSessionFileBytes">;
}

/**
 * A commit whose first try broke off without telling whether it went through may be repeated: the repeat of one that did
 * changes nothing and returns its delivery.
 */
export function createCommitTurn(options: CommitTurnOptions): Store["commitTurn"] {
  const { database, clock, owner, createId, unanswered, limits } = options;
  const statements = prepareStatements(database);
  const routing = createRoutingWriter({ database, createId });
  const budgets = createBudgetWriter({ database });

  const write = async (connection: Connection, commit: Parameters<Store["commitTurn"]>[0]) => {
    const { entry, reply, session, usage, budget, answers = [], signals = [] } = commit;
    const { alsoAnswered = [] } = commit;
    const { id, attempt, sessionKey } = entry;
    const nowMs = clock.now();
    const answered = await connection.change(statements.answer, { id, owner, attempt, nowMs });
    if (answered === 0) return repeat(connection, entry);
    for (const also of alsoAnswered) {
      const is = { id: also.id, owner, attempt: also.attempt, nowMs };
      if ((await connection.change(statements.answer, is)) === 0) throw createFencedError(also.id);
      await connection.change(statements.dropJournal, { id: also.id });
    }
    await connection.change(statements.dropJournal, { id });
    await changeSession(connection, sessionKey, session, nowMs);
    await addUsage(connection, entry, usage, nowMs);
    if (budget !== undefined) {
      await budgets.bookTurn(connection, id, nowMs);
      if (session.cleared === true) await budgets.renew(connection, budget.sessionAccount, "");
    }
    for (const answer of answers) await routing.addAnswer(connection, answer, nowMs);
    for (const signal of signals) await routing.judge(connection, signal, nowMs);
    return reply === undefined ? undefined : addReply(connection, entry, reply, nowMs);
  };

  const repeat = async (
    connection: Connection,
    entry: InboxEntry,
  ): Promise<Delivery | undefined> => {
    const { id, attempt } = entry;
    const [row] = await connection.rows(statements.selectEntry, { id, owner, attempt });
    if (row === undefined) throw createFencedError(id);
    const [delivery] = await connection.rows(statements.selectDelivery, { id });
    return delivery === undefined ? undefined : toDelivery(delivery, database.place);
  };

  const changeSession = async (
    connection: Connection,
    key: string,
    change: SessionChange,
    nowMs: number,
  ) => {
    const { appended, cleared, dropped = 0, pinnedModel, lastAnswer } = change;
    const id = toStorableKey(key);
    const at = new Date(nowMs).toISOString();
    if (lastAnswer === undefined) await connection.change(statements.touchSession, { id, at });
    else {
      const answer = toStorableText(toAnswerColumn(lastAnswer));
      await connection.change(statements.keepAnswer, { id, at, answer });
    }
    if (cleared === true) await connection.change(statements.clearMessages, { id });
    if (cleared === true) await connection.change(statements.clearSummary, { id });
    if (pinnedModel !== undefined) {
      await connection.change(statements.pin, { id, model: toStorableText(pinnedModel) });
    }
    if (dropped > 0) await connection.change(statements.dropNewest, { id, dropped });
    if (appended.length === 0) return;
    const [last] = await connection.rows(statements.selectLast, { id });
    let seq = last?.seq ?? 0;
    for (const message of appended) {
      seq += 1;
      const files = toFilesColumn(message);
      const row = { ...toTranscriptRow(message), files, id, seq, at };
      await connection.change(statements.append, row);
      if (files !== null) await dropOldFiles(connection, id);
    }
  };

  /** Bytes no load would read any more. */
  const dropOldFiles = async (connection: Connection, id: string) => {
    const rows = await connection.rows(statements.selectWithFiles, { id });
    const sizes = rows.map(({ seq, metadata }) => ({
      seq,
      fileBytes: sumKeptBytes(readStoredFiles({ role: "user", metadata })),
    }));
    const oldest = findOldestKept(sizes, limits.maxSessionFileBytes);
    const before = oldest ?? Number.MAX_SAFE_INTEGER;
    if (sizes.some(({ seq }) => seq < before)) {
      await connection.change(statements.dropFiles, { id, before });
    }
  };

  const addUsage = async (
    connection: Connection,
    entry: InboxEntry,
    rows: readonly UsageRow[],
    nowMs: number,
  ) => {
    const at = new Date(nowMs).toISOString();
    for (const [index, row] of rows.entries()) {
      await connection.change(statements.addUsage, {
        id: `${entry.id}-${index + 1}`,
        actor: toStorableText(row.actor),
        channel: toStorableText(row.channel),
        sessionId: toStorableKey(row.sessionKey),
        model: toStorableText(row.model),
        // What others counted must not cost the turn its commit; a journal of an earlier process may hold anything.
        inputTokens: toCount(row.inputTokens),
        outputTokens: toCount(row.outputTokens),
        cachedInputTokens: toCount(row.cachedInputTokens),
        reasoningTokens: toCount(row.reasoningTokens),
        toolCalls: toCount(row.toolCalls),
        inputCost: row.inputCost,
        outputCost: row.outputCost,
        at,
      });
    }
  };

  const addReply = async (
    connection: Connection,
    entry: InboxEntry,
    message: OutboundMessage,
    nowMs: number,
  ) => {
    const { id: turnId, sessionKey } = entry;
    const id = createId();
    const stored = toMessagePayload(sessionKey, message);
    const row = { ...stored, id, turnId, sessionKey: toStorableKey(sessionKey), owner, nowMs };
    await connection.change(statements.addReply, row);
    const delivery: Delivery = {
      id,
      turnId,
      sessionKey,
      message,
      state: "waiting",
      attempts: 0,
      dueAtMs: nowMs,
      problem: "",
      partsSent: 0,
    };
    return delivery;
  };

  return async (commit) => {
    const delivery = await database.write((connection) => write(connection, commit));
    for (const { id } of [commit.entry, ...(commit.alsoAnswered ?? [])]) unanswered.delete(id);
    return delivery;
  };
}

function createFencedError(id: string): StoreError {
  return new StoreError(
    "STORE_FENCED",
    `turn ${id} was taken over by another process; this answer is dropped`,
  );
}

interface NewMessage extends TranscriptRow {
  readonly id: string;
  readonly seq: number;
  readonly at: string;
  readonly files: Uint8Array | null;
}

interface NewUsage {
  readonly id: string;
  readonly actor: string;
  readonly channel: string;
  readonly sessionId: string;
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly reasoningTokens: number;
  readonly toolCalls: number;
  readonly inputCost: number;
  readonly outputCost: number;
  readonly at: string;
}

interface NewReply {
  readonly id: string;
  readonly turnId: string;
  readonly sessionKey: string;
  readonly payload: string;
  readonly body: string;
  readonly files: Uint8Array | null;
  readonly owner: string;
  readonly nowMs: number;
}

function toNewSession(id: string, at: string, lastAnswer: string) {
  return {
    id,
    summary: "",
    active_model: "",
    metadata: "{}",
    created_at: at,
    updated_at: at,
    entity_id: "",
    group_id: "",
    injection_state: "{}",
    title: "",
    channel_id: "",
    interaction_kind: "chat",
    last_answer: lastAnswer,
  };
}

function prepareStatements({ prepare }: Database) {
  return {
    answer: prepare((database, is: { id: string; owner: string; attempt: number; nowMs: number }) =>
      database
        .updateTable("inbox")
        .set({ answered_at_ms: is.nowMs, payload: "", body: "", files: null })
        .where("id", "=", is.id)
        .where("owner", "=", is.owner)
        .where("attempt", "=", is.attempt)
        .where("answered_at_ms", "is", null),
    ),
    selectEntry: prepare((database, is: { id: string; owner: string; attempt: number }) =>
      database
        .selectFrom("inbox")
        .select("id")
        .where("id", "=", is.id)
        .where("owner", "=", is.owner)
        .where("attempt", "=", is.attempt),
    ),
    selectDelivery: prepare((database, is: { id: string }) =>
      database
        .selectFrom("outbox")
        .select(deliveryColumns)
        .where("turn_id", "=", is.id)
        // A reply is younger than its question, and identifiers sort by age: no index by turn is needed.
        .where("id", ">", is.id),
    ),
    dropJournal: prepare((database, is: { id: string }) =>
      database.deleteFrom("turn_journal").where("turn_id", "=", is.id),
    ),
    touchSession: prepare((database, is: { id: string; at: string }) =>
      database
        .insertInto("sessions")
        .values(toNewSession(is.id, is.at, ""))
        .onConflict((conflict) =>
          conflict
            .column("id")
            .doUpdateSet((row) => ({ updated_at: row.ref("excluded.updated_at") })),
        ),
    ),
    keepAnswer: prepare((database, is: { id: string; at: string; answer: string }) =>
      database
        .insertInto("sessions")
        .values(toNewSession(is.id, is.at, is.answer))
        .onConflict((conflict) =>
          conflict.column("id").doUpdateSet((row) => ({
            updated_at: row.ref("excluded.updated_at"),
            last_answer: row.ref("excluded.last_answer"),
          })),
        ),
    ),
    dropNewest: prepare((database, is: { id: string; dropped: number }) =>
      database
        .deleteFrom("messages")
        .where("session_id", "=", is.id)
        .where("seq", "in", (rows) =>
          rows
            .selectFrom("messages")
            .select("seq")
            .where("session_id", "=", is.id)
            .orderBy("seq", "desc")
            .limit(is.dropped),
        ),
    ),
    clearMessages: prepare((database, is: { id: string }) =>
      database.deleteFrom("messages").where("session_id", "=", is.id),
    ),
    clearSummary: prepare((database, is: { id: string }) =>
      database.updateTable("sessions").set({ summary: "" }).where("id", "=", is.id),
    ),
    pin: prepare((database, is: { id: string; model: string }) =>
      database.updateTable("sessions").set({ active_model: is.model }).where("id", "=", is.id),
    ),
    selectLast: prepare((database, is: { id: string }) =>
      database
        .selectFrom("messages")
        .select((row) => row.fn.max("seq").as("seq"))
        .where("session_id", "=", is.id),
    ),
    selectWithFiles: prepare((database, is: { id: string }) =>
      database
        .selectFrom("messages")
        .select(["seq", "metadata"])
        .where("session_id", "=", is.id)
        .where("files", "is not", null)
        .orderBy("seq", "desc"),
    ),
    dropFiles: prepare((database, is: { id: string; before: number }) =>
      database
        .updateTable("messages")
        .set({ files: null })
        .where("session_id", "=", is.id)
        .where("seq", "<", is.before)
        .where("files", "is not", null),
    ),
    append: prepare((database, is: NewMessage) =>
      database.insertInto("messages").values({
        session_id: is.id,
        seq: is.seq,
        role: is.role,
        content: is.content,
        created_at: is.at,
        tool_calls: is.tool_calls,
        tool_call_id: is.tool_call_id,
        metadata: is.metadata,
        visibility: "",
        files: is.files,
      }),
    ),
    addUsage: prepare((database, row: NewUsage) =>
      database.insertInto("profile_usage").values({
        id: row.id,
        entity_id: row.actor,
        group_id: "",
        channel_id: row.channel,
        session_id: row.sessionId,
        model_id: row.model,
        input_tokens: row.inputTokens,
        output_tokens: row.outputTokens,
        tool_calls: row.toolCalls,
        input_cost: row.inputCost,
        output_cost: row.outputCost,
        created_at: row.at,
        interaction_kind: "chat",
        system_source: "",
        cached_input_tokens: row.cachedInputTokens,
        reasoning_tokens: row.reasoningTokens,
      }),
    ),
    addReply: prepare((database, row: NewReply) =>
      database.insertInto("outbox").values({
        id: row.id,
        turn_id: row.turnId,
        session_key: row.sessionKey,
        payload: row.payload,
        body: row.body,
        files: row.files,
        state: "waiting",
        owner: row.owner,
        attempts: 0,
        due_at_ms: row.nowMs,
        problem: "",
        parts_sent: 0,
        changed_at_ms: row.nowMs,
      }),
    ),
  };
}
