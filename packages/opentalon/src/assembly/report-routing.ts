import type { Clock } from "../base/clock.ts";
import type { Config } from "../config/load-config.ts";
import type { RoutingTotal } from "../store/ports.ts";
import { createConfiguredRouter } from "./configured-router.ts";
import { openStateBeside } from "./open-state-beside.ts";

export interface RoutingCommandOptions {
  readonly config: Config;
  readonly clock: Clock;
  /** Only what happened from then on; everything when absent. */
  readonly sinceMs?: number | undefined;
}

/** Sums over answers; money in USD. */
export interface RoutingReportSum extends Omit<RoutingTotal, "task" | "model"> {
  /** Part of `strongestCost` that was not spent; `undefined` where no prices are known. */
  readonly saved: number | undefined;
}

export interface RoutingReport {
  /** Models that routing can choose among. */
  readonly choices: readonly string[];
  readonly rows: readonly (RoutingReportSum & Pick<RoutingTotal, "task" | "model">)[];
  readonly total: RoutingReportSum;
}

/**
 * What was asked of whom, what became of it, and what always asking the strongest model would have cost.
 * @throws StoreError, ConfigError
 */
export async function reportRouting(options: RoutingCommandOptions): Promise<RoutingReport> {
  const { config, clock, sinceMs = 0 } = options;
  const choices = createConfiguredRouter(config).choices();
  await using state = await openStateBeside({ config, clock });
  const totals = await state.routing.totals(sinceMs);
  return {
    choices: choices.map(({ model }) => model.name),
    rows: totals.map((total) => ({ ...total, saved: toSaved(total) })),
    total: addUp(totals),
  };
}

function addUp(totals: readonly RoutingTotal[]): RoutingReportSum {
  const sum = (of: (total: RoutingTotal) => number): number =>
    totals.reduce((before, total) => before + of(total), 0);
  const total = {
    answers: sum(({ answers }) => answers),
    accepted: sum(({ accepted }) => accepted),
    rejected: sum(({ rejected }) => rejected),
    inputTokens: sum(({ inputTokens }) => inputTokens),
    outputTokens: sum(({ outputTokens }) => outputTokens),
    cost: sum(({ cost }) => cost),
    strongestCost: sum(({ strongestCost }) => strongestCost),
  };
  return { ...total, saved: toSaved(total) };
}

function toSaved({
  cost,
  strongestCost,
}: Pick<RoutingTotal, "cost" | "strongestCost">): number | undefined {
  return strongestCost > 0 ? 1 - cost / strongestCost : undefined;
}
