import { estimateText, sumTokens } from "../agent/fit-history.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config/load-config.ts";
import type { Model } from "../domain/model.ts";
import { type BudgetGuard, createBudgetGuard } from "../providers/budgets/budget-guard.ts";
import type { BudgetStore } from "../store/ports.ts";

export interface AssembleBudgetsOptions {
  readonly config: Config;
  readonly store: BudgetStore;
  readonly models: () => readonly Model[];
  readonly clock: Clock;
  readonly log: Log;
}

/** Budgets as they are configured; says which models a budget in money cannot bound. */
export function assembleBudgets(options: AssembleBudgetsOptions): BudgetGuard {
  const { config, store, models, clock, log } = options;
  const { budgets } = config;
  if ([budgets.session, budgets.person, budgets.total].some(({ money }) => money > 0)) {
    const isFree = ({ cost }: Model): boolean => cost.input === 0 && cost.output === 0;
    const free = models().filter(isFree);
    if (free.length > 0) {
      log.warn(
        { models: free.map(({ name }) => name) },
        "these models have no price and cost nothing of a budget in money; give them a cost under models.providers, or set the budget in tokens",
      );
    }
  }
  return createBudgetGuard({
    rules: budgets,
    store,
    estimateInput: ({ system, messages, tools }) =>
      estimateText(system) + sumTokens(messages) + estimateText(JSON.stringify(tools)),
    clock,
    log,
  });
}
