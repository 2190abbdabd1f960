import type { Clock } from "../base/clock.ts";
import { createIdentifier } from "../base/identifier.ts";
import { createCommitTurn } from "./commit-turn.ts";
import type { Database } from "./database.ts";
import { migrate } from "./migrate.ts";
import type { Store, StoreLimits } from "./ports.ts";
import { createPrune } from "./prune.ts";
import { createSortableId } from "./sortable-id.ts";
import { createBudgetStore } from "./sql-budget-store.ts";
import { createInbox } from "./sql-inbox.ts";
import { createJournal } from "./sql-journal.ts";
import { createKeyValueStore } from "./sql-key-value-store.ts";
import { createOutbox } from "./sql-outbox.ts";
import { createPluginStateStore } from "./sql-plugin-state.ts";
import { createPostedMessages } from "./sql-posted-messages.ts";
import { createRoutingStore } from "./sql-routing-store.ts";
import { createSessionStore } from "./sql-session-store.ts";
import { createUsageStore } from "./sql-usage-store.ts";
import { createUnanswered, type Unanswered } from "./unanswered.ts";

/** What every engine's store is asked for. */
export interface StoreOptions {
  readonly clock: Clock;
  readonly limits: StoreLimits;
  /** Names this process for good, never used by another one; made up when absent. */
  readonly owner?: string | undefined;
}

export interface SharedStoreOptions extends StoreOptions {
  /** Locked for this process; the store releases it. */
  readonly database: Database;
}

/** All ports over one database: the part both engines share. Brings the schema up to date first. */
export async function createStore({
  database,
  clock,
  limits,
  owner = createIdentifier(),
}: SharedStoreOptions): Promise<Store> {
  await migrate({ database, clock });
  const { unanswered, newest } = await readState(database);
  const createId = createSortableId({ clock, newest });
  const parts = { database, clock, limits, owner, createId, unanswered };
  const budgets = createBudgetStore(parts);
  const prune = createPrune(parts);
  return {
    inbox: createInbox(parts),
    journal: createJournal(parts),
    outbox: createOutbox(parts),
    posted: createPostedMessages(parts),
    sessions: createSessionStore(parts),
    usage: createUsageStore(parts),
    keyValue: createKeyValueStore(parts),
    pluginState: createPluginStateStore(parts),
    routing: createRoutingStore(parts),
    budgets,
    commitTurn: createCommitTurn(parts),
    prune: async () => {
      await prune();
      await budgets.sweep();
    },
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

/** What an earlier process left: messages without an answer, and the newest identifier it gave. */
async function readState(database: Database): Promise<{ unanswered: Unanswered; newest: string }> {
  const select = database.prepare((query) =>
    query
      .selectFrom("inbox")
      .select((row) => [
        "id",
        row.fn<number>("octet_length", ["payload"]).as("payload_bytes"),
        row.fn<number>("octet_length", ["body"]).as("body_bytes"),
        row.fn<number | null>("octet_length", ["files"]).as("files_bytes"),
      ])
      .where("answered_at_ms", "is", null),
  );
  const selectNewest = database.prepare((query) =>
    query.selectNoFrom((build) => [
      build
        .selectFrom("inbox")
        .select((row) => row.fn.max("id").as("id"))
        .as("inbox"),
      build
        .selectFrom("outbox")
        .select((row) => row.fn.max("id").as("id"))
        .as("outbox"),
      build
        .selectFrom("turn_journal")
        .select((row) => row.fn.max("sequence").as("id"))
        .as("journal"),
      build
        .selectFrom("routing_history")
        .select((row) => row.fn.max("signal_id").as("id"))
        // The index holds no others; without the condition the whole history would be read.
        .where("signal_id", "is not", null)
        .as("routing"),
    ]),
  );
  const unanswered = createUnanswered();
  for (const row of await database.rows(select, {})) {
    unanswered.add(row.id, row.payload_bytes + row.body_bytes + (row.files_bytes ?? 0));
  }
  const [newest] = await database.rows(selectNewest, {});
  const known = [newest?.inbox, newest?.outbox, newest?.journal, newest?.routing].map(
    (id) => id ?? "",
  );
  return { unanswered, newest: known.toSorted().at(-1) ?? "" };
}
