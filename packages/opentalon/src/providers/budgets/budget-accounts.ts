import type { BudgetAccount, BudgetAmount } from "../../store/ports.ts";

export type BudgetPeriod = "day" | "month";

/** Limits as the configuration gives them; 0 is none. */
export interface BudgetRules {
  /** Of one conversation, until it is cleared. */
  readonly session: BudgetAmount;
  /** Of one sender of a channel. */
  readonly person: BudgetAmount & { readonly period: BudgetPeriod };
  /** Of everybody together. */
  readonly total: BudgetAmount & { readonly period: BudgetPeriod };
  /** Percent; 0 is never. */
  readonly warnAt: number;
  readonly timeZone: string;
}

/** On whose behalf a model is asked. */
export interface Payer {
  readonly sessionKey: string;
  /** See `toActor`. */
  readonly actor: string;
}

export type BudgetKind = "session" | "person" | "total";

/** An account with what people should be told of it. */
export interface NamedAccount extends BudgetAccount {
  readonly kind: BudgetKind;
  /** `undefined` when only `/clear` renews it. */
  readonly span: BudgetPeriod | undefined;
  /** Local time, as `2026-03-01 00:00 (UTC)`; empty when it never ends by itself. */
  readonly endsAt: string;
}

/** The account of a conversation, which ends with it. */
export function toSessionAccount(sessionKey: string): string {
  return `session:${sessionKey}`;
}

/** The accounts a call at this moment counts in; those without a limit are left out. */
export function findAccounts(
  rules: BudgetRules,
  { sessionKey, actor }: Payer,
  nowMs: number,
): readonly NamedAccount[] {
  const accounts: NamedAccount[] = [
    {
      kind: "session",
      account: toSessionAccount(sessionKey),
      period: "",
      limit: rules.session,
      span: undefined,
      endsAt: "",
    },
    toPeriodic("person", `person:${actor}`, rules, nowMs),
    toPeriodic("total", "total", rules, nowMs),
  ];
  return accounts.filter(({ limit }) => isLimited(limit));
}

export function hasLimits({ session, person, total }: BudgetRules): boolean {
  return [session, person, total].some(isLimited);
}

export function isLimited({ money, tokens }: BudgetAmount): boolean {
  return money > 0 || tokens > 0;
}

function toPeriodic(
  kind: "person" | "total",
  account: string,
  rules: BudgetRules,
  nowMs: number,
): NamedAccount {
  const { period: span, money, tokens } = rules[kind];
  const { timeZone } = rules;
  const today = Temporal.Instant.fromEpochMilliseconds(nowMs)
    .toZonedDateTimeISO(timeZone)
    .toPlainDate();
  const isDaily = span === "day";
  const next = isDaily ? today.add({ days: 1 }) : today.with({ day: 1 }).add({ months: 1 });
  return {
    kind,
    account,
    period: isDaily ? today.toString() : today.toPlainYearMonth().toString(),
    limit: { money, tokens },
    span,
    endsAt: `${next.toString()} 00:00 (${timeZone})`,
  };
}
