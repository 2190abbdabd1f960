import type { AnswerRecord, AnswerSignal } from "../domain/answer.ts";
import type { InboundMessage, OutboundMessage } from "../domain/message.ts";
import type { Session, TranscriptMessage } from "../domain/session.ts";
import type { UsageRow } from "../domain/usage.ts";

/** A message that is on disk and waits for, or is in, its turn. */
export interface InboxEntry {
  /** Stable identifier, also the turn's trace id. */
  readonly id: string;
  readonly sessionKey: string;
  readonly message: InboundMessage;
  /** 1 for the process that accepted it, plus 1 for each takeover after a crash. */
  readonly attempt: number;
  /** When the message was stored. */
  readonly acceptedAtMs?: number | undefined;
}

export type InboxOutcome =
  | { readonly kind: "accepted"; readonly entry: InboxEntry }
  | { readonly kind: "duplicate" };

/** Messages taken and not yet answered. Identity is (channel, platformMessageId). */
export interface Inbox {
  /**
   * Writes the message; resolves after the commit. A second delivery of the same identity is a `duplicate`, also
   * after it was answered (identities are kept `identityRetentionMs`).
   * @throws StoreError STORE_INBOX_FULL when a bound of the unanswered is reached, others as the engine fails.
   */
  readonly accept: (message: InboundMessage, sessionKey: string) => Promise<InboxOutcome>;
  /**
   * Takes over every unanswered message of earlier processes, oldest first, and raises its attempt. It returns all of
   * them at once; `maxPendingBytes` bounds what that needs, to about twice as much memory for plain text and files, and
   * three and a half times for text that takes two bytes a character in memory and one in the store. Meant for the start,
   * before anything is accepted: it goes on in batches, and what it began is taken over again after a crash.
   */
  readonly takeOver: () => Promise<readonly InboxEntry[]>;
  /** How many messages are unanswered. */
  readonly pending: () => Promise<number>;
}

/** What one step of a turn did, in order. `value` is JSON. */
export interface JournalRecord {
  readonly step: string;
  readonly state: "started" | "recorded";
  readonly value: unknown;
}

/** Steps of turns under way: what a restart must not do again. */
export interface Journal {
  /** All records of one turn, in the order they were written. */
  readonly load: (turnId: string) => Promise<readonly JournalRecord[]>;
  /** Notes that `step` is about to happen; durable when it resolves. */
  readonly begin: (turnId: string, step: string) => Promise<void>;
  /** Notes the outcome of `step`; durable when it resolves. Recording a step twice keeps the first. */
  readonly record: (turnId: string, step: string, value: unknown) => Promise<void>;
}

/** `dropped`: the operator gave it up. */
export type DeliveryState = "waiting" | "sending" | "delivered" | "failed" | "unknown" | "dropped";

/** A reply on its way to a platform. */
export interface Delivery {
  readonly id: string;
  /** Inbox identifier of the message it answers. */
  readonly turnId: string;
  readonly sessionKey: string;
  readonly message: OutboundMessage;
  readonly state: DeliveryState;
  /** Attempts made so far. */
  readonly attempts: number;
  readonly dueAtMs: number;
  readonly problem: string;
  /** Of a reply that goes out in several messages: how many of them the platform certainly has. */
  readonly partsSent: number;
}

/** Replies committed and not yet delivered. Written only by `commitTurn`. */
export interface Outbox {
  /**
   * At start: deliveries an earlier process had begun and not finished become `unknown` and are returned once,
   * to be reported; they are never sent again by themselves.
   */
  readonly resolveInterrupted: () => Promise<readonly Delivery[]>;
  /** Everything in state `waiting`, oldest first. */
  readonly waiting: () => Promise<readonly Delivery[]>;
  /** Durable before the platform is asked. False when it was not `waiting` any more. */
  readonly markSending: (id: string) => Promise<boolean>;
  /** So many messages of a reply that takes several have arrived; they are not sent again, also not after a restart. */
  readonly markPartsSent: (id: string, partsSent: number) => Promise<void>;
  readonly markDelivered: (id: string) => Promise<void>;
  /** The platform certainly does not have it; try again at `dueAtMs`. */
  readonly markWaiting: (id: string, dueAtMs: number, problem: string) => Promise<void>;
  /** Given up (dead letter). */
  readonly markFailed: (id: string, problem: string) => Promise<void>;
  readonly list: (states: readonly DeliveryState[], limit: number) => Promise<readonly Delivery[]>;
  /**
   * Has a delivery that was given up, or whose outcome is unknown, tried again, from the message on that was not certain to
   * have arrived; `undefined` when there is no such delivery.
   */
  readonly retry: (id: string) => Promise<Delivery | undefined>;
  /** Gives up what was not delivered and is not being sent; false when there is no such delivery. */
  readonly drop: (id: string) => Promise<boolean>;
}

/**
 * What replies are called on their platforms, so that a reaction finds the answer it is about. Kept as long as finished
 * deliveries.
 */
export interface PostedMessages {
  /**
   * Notes the messages a reply of a turn became; an identifier that was known in the conversation belongs to this turn
   * from now on. Of many the first `maxPostedIds` are kept, and none that is empty or longer than `maxPostedIdLength`.
   */
  readonly add: (posted: {
    readonly turnId: string;
    readonly channel: string;
    readonly conversationId: string;
    readonly messageIds: readonly string[];
  }) => Promise<void>;
  /** The turn a message is the reply of. */
  readonly findTurn: (message: {
    readonly channel: string;
    readonly conversationId: string;
    readonly messageId: string;
  }) => Promise<string | undefined>;
  /** Whether any message of the turn's reply is known. */
  readonly hasTurn: (turnId: string) => Promise<boolean>;
}

export interface SessionStore {
  /**
   * The session with its newest `maxMessages` messages (0 = all), oldest first; an empty one when unknown. Of files the
   * newest come with their bytes, `maxSessionFileBytes` at most; of the others nothing but the names is read.
   */
  readonly load: (key: string, maxMessages: number) => Promise<Session>;
}

/** Accounting. Written only by `commitTurn`. */
export interface UsageStore {
  readonly total: (filter: { readonly sessionKey?: string; readonly sinceMs?: number }) => Promise<{
    readonly inputTokens: number;
    readonly outputTokens: number;
    /** Of the input, what came out of a prompt cache. */
    readonly cachedInputTokens: number;
    /** Of the output, what was thought and not said. */
    readonly reasoningTokens: number;
    /** USD. */
    readonly cost: number;
  }>;
}

/** Money in USD, and tokens read and written together. As a limit, 0 is none. */
export interface BudgetAmount {
  readonly money: number;
  readonly tokens: number;
}

/** What one conversation, one person or everybody together may use in one period. */
export interface BudgetAccount {
  readonly account: string;
  /** Empty when the account is only renewed on demand. */
  readonly period: string;
  readonly limit: BudgetAmount;
}

export interface BudgetState {
  readonly used: BudgetAmount;
  /** Estimates of calls under way. */
  readonly reserved: BudgetAmount;
  /** The turn that was to say that the budget runs out; empty before. */
  readonly warnedBy: string;
}

export interface BudgetReservation {
  readonly turn: { readonly id: string; readonly attempt: number };
  /** Unique among all calls. */
  readonly call: string;
  readonly accounts: readonly BudgetAccount[];
  readonly estimate: BudgetAmount;
  /** From then on the reservation counts no more, whatever became of its call. */
  readonly expiresAtMs: number;
}

export type BudgetDecision =
  | { readonly kind: "reserved" }
  | {
      readonly kind: "refused";
      /** `reserved`: not used up yet, but calls under way may use the rest. */
      readonly why: "used-up" | "reserved";
      readonly account: BudgetAccount;
      readonly state: BudgetState;
    };

/**
 * What may be used and what was. Each method is one transaction, and decisions about one account never overlap. What the
 * calls of a turn used counts as soon as they are settled, and becomes part of the account when `commitTurn` says `budget`.
 */
export interface BudgetStore {
  /**
   * Reserves the estimate in all accounts, or in none when in one of them what is used and reserved reaches the limit
   * already. Estimates of earlier attempts of the turn are dropped first.
   */
  readonly reserve: (reservation: BudgetReservation) => Promise<BudgetDecision>;
  /**
   * Puts what a call really used in the place of its estimate.
   * @returns the accounts that reached `warnAtPercent` (0 = never) for the first time in their period.
   */
  readonly settle: (call: {
    readonly turnId: string;
    readonly call: string;
    readonly accounts: readonly BudgetAccount[];
    readonly used: BudgetAmount;
    readonly warnAtPercent: number;
  }) => Promise<readonly { readonly account: BudgetAccount; readonly state: BudgetState }[]>;
  /** The call failed: nothing was used. */
  readonly release: (turnId: string, call: string) => Promise<void>;
  /** In the order of `accounts`. */
  readonly read: (accounts: readonly BudgetAccount[]) => Promise<readonly BudgetState[]>;
  /** Drops what expired and periods long over; books calls whose turn was answered without them. */
  readonly sweep: () => Promise<void>;
}

/** State of plugins and hooks. The core sets `namespace`; no value of one namespace is reachable from another. */
export interface KeyValueStore {
  readonly get: (namespace: string, key: string) => Promise<string | undefined>;
  readonly set: (namespace: string, key: string, value: string) => Promise<void>;
  readonly delete: (namespace: string, key: string) => Promise<void>;
  readonly list: (namespace: string, prefix: string, limit: number) => Promise<readonly string[]>;
}

/**
 * What plugins keep by asking for it, each below the key of its entry, which the core sets. What has ended is not there.
 * Rejects with `StoreError`, also for keys and values that are too long or no text both engines can hold.
 */
export interface PluginStateStore {
  readonly get: (plugin: string, key: string) => Promise<string | undefined>;
  /** One atomic step, whatever else is written meanwhile. */
  readonly set: (
    plugin: string,
    key: string,
    change: PluginStateChange,
  ) => Promise<PluginStateOutcome>;
  /** @returns whether there was something. */
  readonly delete: (plugin: string, key: string) => Promise<boolean>;
  /** Keys that begin with `prefix` and come after `after`, ordered by their bytes. */
  readonly list: (
    plugin: string,
    range: { readonly prefix: string; readonly after: string; readonly limit: number },
  ) => Promise<readonly string[]>;
}

export interface PluginStateChange {
  readonly value: string;
  /** Never, when absent. */
  readonly endsAtMs?: number | undefined;
  /** Change it only when this is what is there; `null`: when nothing is. */
  readonly expected?: string | null | undefined;
  /** Of everything the plugin keeps; keys count as bytes, too. */
  readonly limits: { readonly entries: number; readonly bytes: number };
}

export type PluginStateOutcome =
  | { readonly kind: "stored" }
  /** Not what was expected; nothing was changed. */
  | { readonly kind: "unexpected"; readonly value: string | undefined }
  /** It would be more than the plugin may keep; nothing was changed. */
  | { readonly kind: "full" };

export interface SessionChange {
  readonly appended: readonly TranscriptMessage[];
  /** Forget the conversation before appending. */
  readonly cleared?: boolean;
  /** Newest messages to remove before appending: those of an answer that is replaced. */
  readonly dropped?: number | undefined;
  /** New pin; `""` removes it; `undefined` leaves it. */
  readonly pinnedModel?: string | undefined;
  /** `null` forgets it, `undefined` leaves it. */
  readonly lastAnswer?: AnswerRecord | null | undefined;
}

/** A row of the routing history: one answer that a choice of models preceded. */
export interface RoutedAnswer {
  /** Of the turn, or of the turn with a suffix for a model that was passed over and not asked. */
  readonly id: string;
  readonly model: string;
  readonly task: string;
  /** See `AnswerRecord`. */
  readonly features: string;
  readonly tried: readonly string[];
  readonly cause: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** USD. */
  readonly cost: number;
  readonly strongestModel: string;
  /** USD: the same tokens at the prices of the strongest model. */
  readonly strongestCost: number;
}

/** An answer that somebody judged, in the order of the judgements. */
export interface RoutingOutcome extends RoutedAnswer {
  readonly signalId: string;
  readonly signalledAtMs: number;
  readonly accepted: boolean;
  readonly weight: number;
}

/** Answers of one kind of task by one model. */
export interface RoutingTotal {
  readonly task: string;
  readonly model: string;
  readonly answers: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** USD. */
  readonly cost: number;
  readonly strongestCost: number;
}

export interface RoutingSnapshot {
  /** Another one than before: all that was learnt is to be forgotten. */
  readonly epoch: string;
  readonly content: string;
}

/** What routing learns from, shared by all that work on one database. The history is written only by `commitTurn`. */
export interface RoutingStore {
  /** Judged answers whose `signalId` is greater than `afterId`, oldest first. */
  readonly outcomes: (afterId: string, limit: number) => Promise<readonly RoutingOutcome[]>;
  /** The least `signalId` that could have been given `agoMs` ago. */
  readonly signalIdAt: (agoMs: number) => string;
  readonly totals: (sinceMs: number) => Promise<readonly RoutingTotal[]>;
  readonly load: () => Promise<RoutingSnapshot | undefined>;
  /** Replaces the content. False, and nothing written, when the epoch has changed since it was loaded. */
  readonly save: (snapshot: RoutingSnapshot) => Promise<boolean>;
  /** Begins a new epoch with this content, whatever was there. */
  readonly restart: (content: string) => Promise<void>;
}

/** Everything a finished turn changes, at once. */
export interface TurnCommit {
  readonly entry: InboxEntry;
  /** Further messages that the same reply answers. */
  readonly alsoAnswered?: readonly InboxEntry[];
  /** `undefined` when there is nothing to say. */
  readonly reply: OutboundMessage | undefined;
  readonly session: SessionChange;
  readonly usage: readonly UsageRow[];
  /** When budgets are kept: books what the calls of the turn used; a conversation that is cleared begins its account anew. */
  readonly budget?: { readonly sessionAccount: string } | undefined;
  readonly answers?: readonly RoutedAnswer[];
  /** The first judgement of an answer counts, unless a later one weighs more: a deliberate act after a hint. */
  readonly signals?: readonly AnswerSignal[];
}

/**
 * All ports over one engine. Every promise of durability is made here: a method that writes resolves after the commit.
 * Disposal finishes writes under way and releases the database.
 */
export interface Store {
  readonly inbox: Inbox;
  readonly journal: Journal;
  readonly outbox: Outbox;
  readonly posted: PostedMessages;
  readonly sessions: SessionStore;
  readonly usage: UsageStore;
  readonly keyValue: KeyValueStore;
  readonly pluginState: PluginStateStore;
  readonly routing: RoutingStore;
  readonly budgets: BudgetStore;
  /**
   * One transaction: reply into the outbox, messages into the session, usage rows, inbox entries answered, journal of
   * the turn dropped. Fenced by owner and attempt, of each entry.
   * @returns the delivery, `undefined` when there was no reply.
   * @throws StoreError STORE_FENCED when another process has taken the turn over.
   */
  readonly commitTurn: (commit: TurnCommit) => Promise<Delivery | undefined>;
  /** Forgets answered identities, delivered replies, old journals and the bytes of old files beyond their retention. */
  readonly prune: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export interface StoreLimits {
  /** Unanswered messages at once; beyond it `accept` throws STORE_INBOX_FULL. */
  readonly maxPending: number;
  /** Bytes of the unanswered messages, files included, as they are stored; beyond it `accept` throws STORE_INBOX_FULL. */
  readonly maxPendingBytes: number;
  /** How long an answered message's identity is remembered. */
  readonly identityRetentionMs: number;
  /** Bytes of a conversation's files: those of the newest messages are kept, of older ones only the names. */
  readonly maxSessionFileBytes: number;
  /** How long the bytes of a conversation's files are kept. */
  readonly fileRetentionMs: number;
}

export const defaultStoreLimits: StoreLimits = {
  maxPending: 10_000,
  maxPendingBytes: 256 * 1024 * 1024,
  identityRetentionMs: 7 * 24 * 3_600_000,
  maxSessionFileBytes: 20 * 1024 * 1024,
  fileRetentionMs: 30 * 24 * 3_600_000,
};
