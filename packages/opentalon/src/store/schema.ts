/**
 * The tables, as the query builder sees them. `sessions`, `messages` and `profile_usage` keep the columns of the Go
 * program, so that tools which read its database read this one; their times are RFC 3339 text. The other tables are our
 * own; their times are milliseconds since the epoch.
 */
export interface Schema {
  readonly sessions: SessionsTable;
  readonly messages: MessagesTable;
  readonly profile_usage: ProfileUsageTable;
  readonly inbox: InboxTable;
  readonly turn_journal: TurnJournalTable;
  readonly outbox: OutboxTable;
  readonly posted_messages: PostedMessagesTable;
  readonly plugin_state: PluginStateTable;
  readonly plugin_entries: PluginEntriesTable;
  readonly routing_history: RoutingHistoryTable;
  readonly routing_state: RoutingStateTable;
  readonly budget_accounts: BudgetAccountsTable;
  readonly budget_calls: BudgetCallsTable;
}

interface SessionsTable {
  /** The session key, see `toStorableKey`. */
  readonly id: string;
  readonly summary: string;
  /** The pinned model. */
  readonly active_model: string;
  readonly metadata: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly entity_id: string;
  readonly group_id: string;
  readonly injection_state: string;
  readonly title: string;
  readonly channel_id: string;
  readonly interaction_kind: string;
  /** JSON: how the newest answer came about, see `AnswerRecord`; empty when there is none. */
  readonly last_answer: string;
}

interface MessagesTable {
  readonly session_id: string;
  readonly seq: number;
  readonly role: string;
  readonly content: string;
  readonly created_at: string;
  /** JSON array. */
  readonly tool_calls: string | null;
  readonly tool_call_id: string | null;
  /** JSON object. */
  readonly metadata: string | null;
  readonly visibility: string | null;
  /** Bytes of the files, one after another; the metadata knows their names, types and sizes. */
  readonly files: Uint8Array | null;
}

interface ProfileUsageTable {
  readonly id: string;
  readonly entity_id: string;
  readonly group_id: string;
  readonly channel_id: string;
  readonly session_id: string;
  readonly model_id: string;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly tool_calls: number;
  readonly input_cost: number;
  readonly output_cost: number;
  readonly created_at: string;
  readonly interaction_kind: string;
  readonly system_source: string;
  readonly cached_input_tokens: number;
  readonly reasoning_tokens: number;
}

interface InboxTable {
  /** Sorts by acceptance. */
  readonly id: string;
  readonly channel: string;
  readonly platform_message_id: string;
  readonly session_key: string;
  /** See `MessagePayload`; all three are empty once answered. */
  readonly payload: string;
  readonly body: string;
  readonly files: Uint8Array | null;
  /** The process that works on it. */
  readonly owner: string;
  readonly attempt: number;
  readonly accepted_at_ms: number;
  readonly answered_at_ms: number | null;
}

interface TurnJournalTable {
  /** Sorts by writing. */
  readonly sequence: string;
  readonly turn_id: string;
  readonly step: string;
  readonly state: string;
  /** JSON `{ step, value }`: the step as it was given, see `toStorableKey`. */
  readonly content: string;
  readonly created_at_ms: number;
}

interface OutboxTable {
  /** Sorts by commit. */
  readonly id: string;
  readonly turn_id: string;
  readonly session_key: string;
  /** See `MessagePayload`; body and files are empty once delivered. */
  readonly payload: string;
  readonly body: string;
  readonly files: Uint8Array | null;
  readonly state: string;
  /** The process that sends it. */
  readonly owner: string;
  readonly attempts: number;
  readonly due_at_ms: number;
  readonly problem: string;
  /** Messages of the reply that have arrived. */
  readonly parts_sent: number;
  /** When `state` changed last. */
  readonly changed_at_ms: number;
}

/** Goes when the delivery it comes from goes; clearing the conversation ends neither of them earlier. */
interface PostedMessagesTable {
  /** All three see `toStorableKey`. */
  readonly channel: string;
  readonly conversation_id: string;
  /** The platform's own. */
  readonly message_id: string;
  /** Sorts by acceptance. */
  readonly turn_id: string;
  readonly posted_at_ms: number;
}

interface PluginStateTable {
  readonly namespace: string;
  readonly key: string;
  readonly value: string;
  readonly updated_at_ms: number;
}

interface PluginEntriesTable {
  /** Key of the plugin's entry in the configuration, see `toStorableKey`. */
  readonly plugin: string;
  readonly key: string;
  /** Of key and value. */
  readonly bytes: number;
  readonly value: string;
  readonly ends_at_ms: number | null;
  readonly updated_at_ms: number;
}

/** Says nothing of who asked or where: a conversation that is forgotten cannot be found in it again. */
interface RoutingHistoryTable {
  /** Of the turn; sorts by acceptance. */
  readonly id: string;
  readonly model: string;
  readonly task: string;
  /** The question as numbers, see `encodeFeatures`; no text of a person. */
  readonly features: string;
  /** JSON array: the models whose answers to the same question were rejected before. */
  readonly tried: string;
  readonly cause: string;
  readonly input_tokens: number;
  readonly output_tokens: number;
  /** USD. */
  readonly cost: number;
  readonly strongest_model: string;
  /** USD: the same tokens at the prices of the strongest model. */
  readonly strongest_cost: number;
  readonly created_at_ms: number;
  /** 1 or 0; null until somebody said something about the answer. */
  readonly accepted: number | null;
  /** How much the signal counts. */
  readonly weight: number;
  /** Sorts by the commit of the signal. */
  readonly signal_id: string | null;
  readonly signalled_at_ms: number | null;
}

interface RoutingStateTable {
  readonly name: string;
  /** Changes when everything learnt is to be forgotten. */
  readonly epoch: string;
  readonly content: string;
  readonly updated_at_ms: number;
}

interface BudgetAccountsTable {
  /** See `toStorableKey`. */
  readonly account: string;
  readonly period: string;
  /** USD: what committed turns used. */
  readonly money: number;
  readonly tokens: number;
  /** The turn that warned; empty before. */
  readonly warned_by: string;
  readonly updated_at_ms: number;
}

/** Calls of turns that are not committed, once for each account. */
interface BudgetCallsTable {
  readonly turn_id: string;
  readonly call_id: string;
  readonly account: string;
  readonly period: string;
  readonly attempt: number;
  /** 0: `money` and `tokens` are an estimate. */
  readonly is_used: number;
  readonly money: number;
  readonly tokens: number;
  readonly expires_at_ms: number;
}
