import type { Clock } from "../base/clock.ts";
import { toCount } from "../base/count.ts";
import type { Connection, Database } from "./database.ts";
import type { BudgetAccount, BudgetAmount, BudgetState, BudgetStore } from "./ports.ts";
import { toStorableKey } from "./storable-text.ts";

export interface BudgetStoreOptions {
  readonly database: Database;
  readonly clock: Clock;
}

/** What is written about budgets as part of other transactions. */
export interface BudgetWriter {
  /** Books what the calls of a turn used and drops what they had reserved. */
  readonly bookTurn: (connection: Connection, turnId: string, nowMs: number) => Promise<void>;
  /** Begins an account anew. */
  readonly renew: (connection: Connection, account: string, period: string) => Promise<void>;
}

/** A period that ended is not asked about any more after the longest one, a month. */
const accountRetentionMs = 70 * 24 * 3_600_000;
const batchSize = 500;

/**
 * An account is a row with what committed turns used; calls of turns under way stand beside it, reserved or used. Whoever
 * decides about an account holds its row first, always in the same order, so that two decisions neither overlap nor wait
 * for each other in a circle.
 */
export function createBudgetStore({ database, clock }: BudgetStoreOptions): BudgetStore {
  const statements = prepareStatements(database);
  const { bookTurn } = createBudgetWriter({ database });

  /** Keeps others from deciding about the account until the transaction ends. */
  const lock = async (
    connection: Connection,
    { account, period }: BudgetAccount,
    nowMs: number,
  ) => {
    const key = { account: toStorableKey(account), period };
    const empty = { ...key, money: 0, tokens: 0, nowMs };
    const [row] = await connection.rows(statements.add, empty);
    return row;
  };

  const readState = async (
    connection: Pick<Connection, "rows">,
    { account, period }: BudgetAccount,
    row: { money: number; tokens: number; warned_by: string } | undefined,
    call: string,
  ): Promise<BudgetState> => {
    const key = { account: toStorableKey(account), period };
    const sums = await connection.rows(statements.sum, { ...key, call, nowMs: clock.now() });
    const find = (isUsed: 0 | 1): BudgetAmount => {
      const sum = sums.find(({ is_used }) => is_used === isUsed);
      return { money: Number(sum?.money ?? 0), tokens: Number(sum?.tokens ?? 0) };
    };
    const used = find(1);
    return {
      used: { money: (row?.money ?? 0) + used.money, tokens: (row?.tokens ?? 0) + used.tokens },
      reserved: find(0),
      warnedBy: row?.warned_by ?? "",
    };
  };

  return {
    reserve: ({ turn, call, accounts, estimate, expiresAtMs }) =>
      database.write(async (connection) => {
        const nowMs = clock.now();
        await connection.change(statements.dropStale, { turnId: turn.id, attempt: turn.attempt });
        let held: { account: BudgetAccount; state: BudgetState } | undefined;
        for (const account of toOrdered(accounts)) {
          const row = await lock(connection, account, nowMs);
          const state = await readState(connection, account, row, call);
          if (isReached(account.limit, state.used)) {
            return { kind: "refused", why: "used-up", account, state };
          }
          if (isReached(account.limit, toSum(state.used, state.reserved)))
            held ??= { account, state };
        }
        if (held !== undefined) return { kind: "refused", why: "reserved", ...held };
        for (const { account, period } of accounts) {
          await connection.change(statements.reserve, {
            turnId: turn.id,
            attempt: turn.attempt,
            call,
            account: toStorableKey(account),
            period,
            ...toStorable(estimate),
            expiresAtMs,
          });
        }
        return { kind: "reserved" };
      }),

    settle: ({ turnId, call, accounts, used, warnAtPercent }) =>
      database.write(async (connection) => {
        const nowMs = clock.now();
        const amount = toStorable(used);
        const settled = await connection.change(statements.settle, { turnId, call, ...amount });
        const warned: { account: BudgetAccount; state: BudgetState }[] = [];
        for (const account of toOrdered(accounts)) {
          const key = { account: toStorableKey(account.account), period: account.period };
          // A reservation that is gone must not make the call free.
          if (settled === 0) await connection.rows(statements.add, { ...key, ...amount, nowMs });
          if (warnAtPercent === 0) continue;
          const row = await lock(connection, account, nowMs);
          const state = await readState(connection, account, row, "");
          const line = toShare(account.limit, warnAtPercent);
          if (state.warnedBy !== "" || !isReached(line, state.used)) continue;
          await connection.change(statements.warn, { ...key, turnId });
          warned.push({ account, state });
        }
        return warned;
      }),

    release: async (turnId, call) => {
      await database.change(statements.release, { turnId, call });
    },

    read: (accounts) =>
      Promise.all(
        accounts.map(async (account) => {
          const key = { account: toStorableKey(account.account), period: account.period };
          const [row] = await database.rows(statements.select, key);
          return readState(database, account, row, "");
        }),
      ),

    sweep: async () => {
      const nowMs = clock.now();
      const limit = batchSize;
      while ((await database.change(statements.dropExpired, { nowMs, limit })) > 0);
      for (;;) {
        const orphans = await database.rows(statements.selectOrphans, { nowMs, limit });
        if (orphans.length === 0) break;
        for (const { turn_id } of orphans) {
          await database.write((connection) => bookTurn(connection, turn_id, nowMs));
        }
      }
      await database.change(statements.dropAccounts, { beforeMs: nowMs - accountRetentionMs });
    },
  };
}

export function createBudgetWriter({ database }: { readonly database: Database }): BudgetWriter {
  const { add, sumTurn, dropTurn, renew } = prepareStatements(database);
  return {
    bookTurn: async (connection, turnId, nowMs) => {
      const sums = await connection.rows(sumTurn, { turnId });
      for (const { account, period, money, tokens } of toOrdered(sums)) {
        const amount = { money: Number(money), tokens: Number(tokens) };
        await connection.rows(add, { account, period, ...amount, nowMs });
      }
      await connection.change(dropTurn, { turnId });
    },
    renew: async (connection, account, period) => {
      await connection.change(renew, { account: toStorableKey(account), period });
    },
  };
}

/** The same order for everybody who holds more than one account. */
function toOrdered<Account extends { readonly account: string; readonly period: string }>(
  accounts: readonly Account[],
): readonly Account[] {
  const toKey = ({ account, period }: Account): string => `${toStorableKey(account)}\n${period}`;
  return accounts.toSorted((one, other) => (toKey(one) < toKey(other) ? -1 : 1));
}

/** USD: sums of fractions miss their whole by less. */
const tolerance = 1e-9;

/** Whether one of the limits is used up; a limit of 0 is none. */
function isReached(limit: BudgetAmount, amount: BudgetAmount): boolean {
  return (
    (limit.money > 0 && amount.money >= limit.money - tolerance) ||
    (limit.tokens > 0 && amount.tokens >= limit.tokens)
  );
}

function toSum(one: BudgetAmount, other: BudgetAmount): BudgetAmount {
  return { money: one.money + other.money, tokens: one.tokens + other.tokens };
}

function toShare({ money, tokens }: BudgetAmount, percent: number): BudgetAmount {
  return { money: (money * percent) / 100, tokens: (tokens * percent) / 100 };
}

/** Prices come from a configuration and counts from a provider: neither may break the books. */
function toStorable({ money, tokens }: BudgetAmount): BudgetAmount {
  return { money: money > 0 && Number.isFinite(money) ? money : 0, tokens: toCount(tokens) };
}

interface Place {
  readonly account: string;
  readonly period: string;
}

interface NewReservation extends Place, BudgetAmount {
  readonly turnId: string;
  readonly attempt: number;
  readonly call: string;
  readonly expiresAtMs: number;
}

function prepareStatements({ prepare }: Database) {
  return {
    add: prepare((database, is: Place & BudgetAmount & { nowMs: number }) =>
      database
        .insertInto("budget_accounts")
        .values({
          account: is.account,
          period: is.period,
          money: is.money,
          tokens: is.tokens,
          warned_by: "",
          updated_at_ms: is.nowMs,
        })
        .onConflict((conflict) =>
          conflict.columns(["account", "period"]).doUpdateSet((row) => ({
            money: row("budget_accounts.money", "+", row.ref("excluded.money")),
            tokens: row("budget_accounts.tokens", "+", row.ref("excluded.tokens")),
            updated_at_ms: row.ref("excluded.updated_at_ms"),
          })),
        )
        .returning(["money", "tokens", "warned_by"]),
    ),
    select: prepare((database, is: Place) =>
      database
        .selectFrom("budget_accounts")
        .select(["money", "tokens", "warned_by"])
        .where("account", "=", is.account)
        .where("period", "=", is.period),
    ),
    sum: prepare((database, is: Place & { call: string; nowMs: number }) =>
      database
        .selectFrom("budget_calls")
        .select((row) => [
          "is_used",
          row.fn.sum("money").as("money"),
          row.fn.sum("tokens").as("tokens"),
        ])
        .where("account", "=", is.account)
        .where("period", "=", is.period)
        .where("call_id", "<>", is.call)
        .where((row) => row.or([row("is_used", "=", 1), row("expires_at_ms", ">", is.nowMs)]))
        .groupBy("is_used"),
    ),
    reserve: prepare((database, row: NewReservation) =>
      database
        .insertInto("budget_calls")
        .values({
          turn_id: row.turnId,
          call_id: row.call,
          account: row.account,
          period: row.period,
          attempt: row.attempt,
          is_used: 0,
          money: row.money,
          tokens: row.tokens,
          expires_at_ms: row.expiresAtMs,
        })
        // Repeated when nobody knows whether the first try was committed.
        .onConflict((conflict) => conflict.columns(["turn_id", "call_id", "account"]).doNothing()),
    ),
    settle: prepare((database, is: BudgetAmount & { turnId: string; call: string }) =>
      database
        .updateTable("budget_calls")
        .set({ is_used: 1, money: is.money, tokens: is.tokens })
        .where("turn_id", "=", is.turnId)
        .where("call_id", "=", is.call),
    ),
    release: prepare((database, is: { turnId: string; call: string }) =>
      database
        .deleteFrom("budget_calls")
        .where("turn_id", "=", is.turnId)
        .where("call_id", "=", is.call)
        .where("is_used", "=", 0),
    ),
    dropStale: prepare((database, is: { turnId: string; attempt: number }) =>
      database
        .deleteFrom("budget_calls")
        .where("turn_id", "=", is.turnId)
        .where("attempt", "<", is.attempt)
        .where("is_used", "=", 0),
    ),
    warn: prepare((database, is: Place & { turnId: string }) =>
      database
        .updateTable("budget_accounts")
        .set({ warned_by: is.turnId })
        .where("account", "=", is.account)
        .where("period", "=", is.period),
    ),
    sumTurn: prepare((database, is: { turnId: string }) =>
      database
        .selectFrom("budget_calls")
        .select((row) => [
          "account",
          "period",
          row.fn.sum("money").as("money"),
          row.fn.sum("tokens").as("tokens"),
        ])
        .where("turn_id", "=", is.turnId)
        .where("is_used", "=", 1)
        .groupBy(["account", "period"]),
    ),
    dropTurn: prepare((database, is: { turnId: string }) =>
      database.deleteFrom("budget_calls").where("turn_id", "=", is.turnId),
    ),
    renew: prepare((database, is: Place) =>
      database
        .updateTable("budget_accounts")
        .set({ money: 0, tokens: 0, warned_by: "" })
        .where("account", "=", is.account)
        .where("period", "=", is.period),
    ),
    dropExpired: prepare((database, is: { nowMs: number; limit: number }) =>
      database
        .deleteFrom("budget_calls")
        .where("is_used", "=", 0)
        .where("expires_at_ms", "<=", is.nowMs)
        .where("call_id", "in", (rows) =>
          rows
            .selectFrom("budget_calls")
            .select("call_id")
            .where("is_used", "=", 0)
            .where("expires_at_ms", "<=", is.nowMs)
            .limit(is.limit),
        ),
    ),
    /** Turns that were answered elsewhere while a call of theirs still ran here. */
    selectOrphans: prepare((database, is: { nowMs: number; limit: number }) =>
      database
        .selectFrom("budget_calls")
        .select("turn_id")
        .distinct()
        .where("is_used", "=", 1)
        .where("expires_at_ms", "<=", is.nowMs)
        .where("turn_id", "not in", (turns) =>
          turns.selectFrom("inbox").select("id").where("answered_at_ms", "is", null),
        )
        .limit(is.limit),
    ),
    dropAccounts: prepare((database, is: { beforeMs: number }) =>
      database
        .deleteFrom("budget_accounts")
        .where("period", "<>", "")
        .where("updated_at_ms", "<", is.beforeMs),
    ),
  };
}
