import type { Engine } from "./statement.ts";

/** One step of the schema. Steps are only ever added: a released one never changes. */
export interface Migration {
  readonly version: number;
  readonly statements: (engine: Engine) => readonly string[];
}

/** Where the engines spell a type differently. */
const dialects: Readonly<Record<Engine, { bytes: string; sortable: string; clustered: string }>> = {
  // Rows live in the index of their primary key: a write touches one page less, and a conversation lies together.
  sqlite: { bytes: "BLOB", sortable: "TEXT", clustered: "WITHOUT ROWID" },
  // Order by bytes, as SQLite does, whatever the locale of the server.
  postgres: { bytes: "BYTEA", sortable: `TEXT COLLATE "C"`, clustered: "" },
};

/** `IF NOT EXISTS` throughout: a database of the Go program has the first three tables already. */
const first: Migration = {
  version: 1,
  statements: (engine) => {
    const { bytes, sortable, clustered } = dialects[engine];
    return [
      `CREATE TABLE IF NOT EXISTS sessions (
         id TEXT PRIMARY KEY NOT NULL,
         summary TEXT NOT NULL DEFAULT '',
         active_model TEXT NOT NULL DEFAULT '',
         metadata TEXT NOT NULL DEFAULT '{}',
         created_at TEXT NOT NULL,
         updated_at TEXT NOT NULL,
         entity_id TEXT NOT NULL DEFAULT '',
         group_id TEXT NOT NULL DEFAULT '',
         injection_state TEXT NOT NULL DEFAULT '{}',
         title TEXT NOT NULL DEFAULT '',
         channel_id TEXT NOT NULL DEFAULT '',
         interaction_kind TEXT NOT NULL DEFAULT 'chat') ${clustered}`,
      `CREATE TABLE IF NOT EXISTS messages (
         session_id TEXT NOT NULL,
         seq BIGINT NOT NULL,
         role TEXT NOT NULL,
         content TEXT NOT NULL,
         created_at TEXT NOT NULL,
         tool_calls TEXT,
         tool_call_id TEXT,
         metadata TEXT,
         visibility TEXT,
         PRIMARY KEY (session_id, seq)) ${clustered}`,
      `CREATE TABLE IF NOT EXISTS profile_usage (
         id TEXT PRIMARY KEY NOT NULL,
         entity_id TEXT NOT NULL DEFAULT '',
         group_id TEXT NOT NULL DEFAULT '',
         channel_id TEXT NOT NULL DEFAULT '',
         session_id TEXT NOT NULL DEFAULT '',
         model_id TEXT NOT NULL DEFAULT '',
         input_tokens BIGINT NOT NULL DEFAULT 0,
         output_tokens BIGINT NOT NULL DEFAULT 0,
         tool_calls BIGINT NOT NULL DEFAULT 0,
         input_cost DOUBLE PRECISION NOT NULL DEFAULT 0,
         output_cost DOUBLE PRECISION NOT NULL DEFAULT 0,
         created_at TEXT NOT NULL,
         interaction_kind TEXT NOT NULL DEFAULT 'chat',
         system_source TEXT NOT NULL DEFAULT '') ${clustered}`,
      `CREATE INDEX IF NOT EXISTS opentalon_usage_by_session ON profile_usage (session_id, created_at)`,
      `CREATE TABLE IF NOT EXISTS inbox (
         id ${sortable} PRIMARY KEY NOT NULL,
         channel TEXT NOT NULL,
         platform_message_id TEXT NOT NULL,
         session_key TEXT NOT NULL,
         payload TEXT NOT NULL,
         body TEXT NOT NULL,
         files ${bytes},
         owner TEXT NOT NULL,
         attempt INTEGER NOT NULL,
         accepted_at_ms BIGINT NOT NULL,
         answered_at_ms BIGINT,
         UNIQUE (channel, platform_message_id)) ${clustered}`,
      `CREATE INDEX IF NOT EXISTS inbox_unanswered ON inbox (id) WHERE answered_at_ms IS NULL`,
      `CREATE TABLE IF NOT EXISTS turn_journal (
         sequence ${sortable} NOT NULL,
         turn_id TEXT NOT NULL,
         step TEXT NOT NULL,
         state TEXT NOT NULL,
         content TEXT NOT NULL,
         created_at_ms BIGINT NOT NULL,
         PRIMARY KEY (turn_id, step)) ${clustered}`,
      `CREATE TABLE IF NOT EXISTS outbox (
         id ${sortable} PRIMARY KEY NOT NULL,
         turn_id TEXT NOT NULL,
         session_key TEXT NOT NULL,
         payload TEXT NOT NULL,
         body TEXT NOT NULL,
         files ${bytes},
         state TEXT NOT NULL,
         owner TEXT NOT NULL,
         attempts INTEGER NOT NULL,
         due_at_ms BIGINT NOT NULL,
         problem TEXT NOT NULL,
         changed_at_ms BIGINT NOT NULL) ${clustered}`,
      `CREATE INDEX IF NOT EXISTS outbox_undelivered ON outbox (state, id) WHERE state <> 'delivered'`,
      `CREATE TABLE IF NOT EXISTS plugin_state (
         namespace TEXT NOT NULL,
         key ${sortable} NOT NULL,
         value TEXT NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         PRIMARY KEY (namespace, key)) ${clustered}`,
    ];
  },
};

/** Sums since a time read only what is younger. */
const second: Migration = {
  version: 2,
  statements: () => [
    `CREATE INDEX IF NOT EXISTS opentalon_usage_by_time ON profile_usage (created_at)`,
  ],
};

/** What routing learns from: every answer that a choice of models preceded, and what became of it. */
const third: Migration = {
  version: 3,
  statements: (engine) => {
    const { bytes, sortable, clustered } = dialects[engine];
    return [
      `ALTER TABLE sessions ADD COLUMN last_answer TEXT NOT NULL DEFAULT ''`,
      `ALTER TABLE messages ADD COLUMN files ${bytes}`,
      `CREATE INDEX IF NOT EXISTS messages_with_files ON messages (created_at) WHERE files IS NOT NULL`,
      `ALTER TABLE profile_usage ADD COLUMN cached_input_tokens BIGINT NOT NULL DEFAULT 0`,
      `ALTER TABLE profile_usage ADD COLUMN reasoning_tokens BIGINT NOT NULL DEFAULT 0`,
      `CREATE TABLE IF NOT EXISTS routing_history (
         id ${sortable} PRIMARY KEY NOT NULL,
         model TEXT NOT NULL,
         task TEXT NOT NULL,
         features TEXT NOT NULL,
         tried TEXT NOT NULL,
         cause TEXT NOT NULL,
         input_tokens BIGINT NOT NULL,
         output_tokens BIGINT NOT NULL,
         cost DOUBLE PRECISION NOT NULL,
         strongest_model TEXT NOT NULL,
         strongest_cost DOUBLE PRECISION NOT NULL,
         created_at_ms BIGINT NOT NULL,
         accepted INTEGER,
         weight DOUBLE PRECISION NOT NULL DEFAULT 1,
         signal_id ${sortable},
         signalled_at_ms BIGINT) ${clustered}`,
      `CREATE INDEX IF NOT EXISTS routing_signals ON routing_history (signal_id) WHERE signal_id IS NOT NULL`,
      `CREATE INDEX IF NOT EXISTS routing_history_by_time ON routing_history (created_at_ms)`,
      `CREATE TABLE IF NOT EXISTS routing_state (
         name TEXT PRIMARY KEY NOT NULL,
         epoch TEXT NOT NULL,
         content TEXT NOT NULL,
         updated_at_ms BIGINT NOT NULL) ${clustered}`,
      `CREATE TABLE IF NOT EXISTS budget_accounts (
         account TEXT NOT NULL,
         period TEXT NOT NULL,
         money DOUBLE PRECISION NOT NULL,
         tokens BIGINT NOT NULL,
         warned_by TEXT NOT NULL,
         updated_at_ms BIGINT NOT NULL,
         PRIMARY KEY (account, period)) ${clustered}`,
      `CREATE TABLE IF NOT EXISTS budget_calls (
         turn_id TEXT NOT NULL,
         call_id TEXT NOT NULL,
         account TEXT NOT NULL,
         period TEXT NOT NULL,
         attempt INTEGER NOT NULL,
         is_used INTEGER NOT NULL,
         money DOUBLE PRECISION NOT NULL,
         tokens BIGINT NOT NULL,
         expires_at_ms BIGINT NOT NULL,
         PRIMARY KEY (turn_id, call_id, account)) ${clustered}`,
      `CREATE INDEX IF NOT EXISTS budget_calls_by_account ON budget_calls (account, period)`,
    ];
  },
};

/** A reply that is too long for its platform goes out in several messages. */
const fourth: Migration = {
  version: 4,
  statements: () => [`ALTER TABLE outbox ADD COLUMN parts_sent INTEGER NOT NULL DEFAULT 0`],
};

/** What plugins keep, by plugin. */
const fifth: Migration = {
  version: 5,
  statements: (engine) => {
    const { sortable, clustered } = dialects[engine];
    return [
      `CREATE TABLE IF NOT EXISTS plugin_entries (
         plugin TEXT NOT NULL,
         key ${sortable} NOT NULL,
         bytes BIGINT NOT NULL,
         value TEXT NOT NULL,
         ends_at_ms BIGINT,
         updated_at_ms BIGINT NOT NULL,
         PRIMARY KEY (plugin, key)) ${clustered}`,
      // Adding up what a plugin keeps reads this alone.
      `CREATE INDEX IF NOT EXISTS plugin_entries_sizes ON plugin_entries (plugin, bytes)`,
      `CREATE INDEX IF NOT EXISTS plugin_entries_ending ON plugin_entries (ends_at_ms) WHERE ends_at_ms IS NOT NULL`,
    ];
  },
};

/** Which answer a message on a platform is. */
const sixth: Migration = {
  version: 6,
  statements: (engine) => {
    const { sortable, clustered } = dialects[engine];
    return [
      `CREATE TABLE IF NOT EXISTS posted_messages (
         channel TEXT NOT NULL,
         conversation_id TEXT NOT NULL,
         message_id TEXT NOT NULL,
         turn_id ${sortable} NOT NULL,
         posted_at_ms BIGINT NOT NULL,
         PRIMARY KEY (channel, conversation_id, message_id)) ${clustered}`,
      `CREATE INDEX IF NOT EXISTS posted_messages_by_turn ON posted_messages (turn_id)`,
    ];
  },
};

export const migrations: readonly Migration[] = [first, second, third, fourth, fifth, sixth];
