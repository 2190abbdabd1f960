import type { BudgetAmount, BudgetState } from "../../store/ports.ts";
import type { BudgetKind, NamedAccount } from "./budget-accounts.ts";

const owners: Readonly<Record<BudgetKind, string>> = {
  session: "The budget of this conversation",
  person: "Your budget",
  total: "The budget everybody shares",
};

/** Why nothing is asked any more, for the person. What others used is theirs: a shared budget shows no amounts. */
export function toRefusal(
  account: NamedAccount,
  state: BudgetState,
  why: "used-up" | "reserved",
): string {
  const { kind, endsAt, limit } = account;
  const unit = findFullest(limit, why === "used-up" ? state.used : toSum(state));
  const owner = `${owners[kind]}${toSpan(account)}`;
  if (why === "reserved") {
    return `The rest of ${lowerFirst(owner)} is reserved for answers under way. Please try again in a moment.`;
  }
  const amounts = kind === "total" ? "" : `: ${toAmounts(unit, state.used, limit)}`;
  const renewal =
    endsAt === ""
      ? "/clear begins a new conversation with a new budget"
      : `It is renewed on ${endsAt}`;
  return `${owner} is used up${amounts}. ${renewal}; the operator can raise budgets.${kind}.${unit}.`;
}

/** That a budget runs out, for the person or the log. */
export function toWarning(account: NamedAccount, { used }: BudgetState): string {
  const { limit, endsAt, kind } = account;
  const unit = findFullest(limit, used);
  const percent = Math.floor(toShare(limit, used, unit) * 100 + 1e-6);
  const renewal = endsAt === "" ? "/clear begins a new one" : `it is renewed on ${endsAt}`;
  return `${percent} % of ${lowerFirst(owners[kind])}${toSpan(account)} is used: ${toAmounts(unit, used, limit)}; ${renewal}.`;
}

/** One line of `/budget`. */
export function toStatement(account: NamedAccount, { used, reserved }: BudgetState): string {
  const { limit, endsAt } = account;
  const name = { session: "This conversation", person: "You", total: "Everybody" }[account.kind];
  const span = account.span === undefined ? "" : `, ${toSpanWord(account.span)}`;
  const units = (["money", "tokens"] as const).filter((unit) => limit[unit] > 0);
  const amounts = units.map((unit) => toAmounts(unit, used, limit)).join(", ");
  const isUnderWay = units.some((unit) => reserved[unit] > 0);
  const underWay = isUnderWay ? ", and answers under way" : "";
  const renewal = endsAt === "" ? "/clear begins a new one" : `renewed on ${endsAt}`;
  return `${name}${span}: ${amounts}${underWay}; ${renewal}`;
}

type Unit = keyof BudgetAmount;

function findFullest(limit: BudgetAmount, used: BudgetAmount): Unit {
  return toShare(limit, used, "tokens") > toShare(limit, used, "money") ? "tokens" : "money";
}

function toShare(limit: BudgetAmount, used: BudgetAmount, unit: Unit): number {
  return limit[unit] > 0 ? used[unit] / limit[unit] : 0;
}

function toSum({ used, reserved }: BudgetState): BudgetAmount {
  return { money: used.money + reserved.money, tokens: used.tokens + reserved.tokens };
}

function toAmounts(unit: Unit, used: BudgetAmount, limit: BudgetAmount): string {
  if (unit === "tokens")
    return `${toCountText(used.tokens)} of ${toCountText(limit.tokens)} tokens`;
  const digits = limit.money >= 1 ? 2 : 4;
  return `$${used.money.toFixed(digits)} of $${limit.money.toFixed(digits)}`;
}

function toCountText(count: number): string {
  return count.toLocaleString("en-US");
}

function toSpan({ span }: NamedAccount): string {
  return span === undefined ? "" : ` for ${toSpanWord(span)}`;
}

function toSpanWord(span: "day" | "month"): string {
  return span === "day" ? "today" : "this month";
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
