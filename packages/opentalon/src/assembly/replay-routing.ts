import { readOutcomes } from "../routing/learning/read-outcomes.ts";
import { replayHistory, type Replay } from "../routing/learning/replay-history.ts";
import type { RoutingOutcome } from "../store/ports.ts";
import { toRoutedModel } from "./assemble-routing.ts";
import { createConfiguredRouter } from "./configured-router.ts";
import { openStateBeside } from "./open-state-beside.ts";
import type { RoutingCommandOptions } from "./report-routing.ts";

export interface RoutingReplay {
  /** Models that the replayed router chooses among. */
  readonly choices: readonly string[];
  /** `undefined` where there is nothing to choose. */
  readonly replay: Replay | undefined;
}

/** What is replayed at most, so that memory stays bounded: the newest of it. */
const mostOutcomes = 50_000;

/**
 * Runs a new router over the recorded history.
 * @throws StoreError, ConfigError
 */
export async function replayRouting(options: RoutingCommandOptions): Promise<RoutingReplay> {
  const { config, clock, sinceMs } = options;
  const choices = createConfiguredRouter(config).choices();
  const names = choices.map(({ model }) => model.name);
  await using state = await openStateBeside({ config, clock });
  if (choices.length < 2) return { choices: names, replay: undefined };
  const { routing } = state;
  const after = sinceMs === undefined ? "" : routing.signalIdAt(clock.now() - sinceMs);
  const outcomes: RoutingOutcome[] = [];
  for await (const outcome of readOutcomes(routing, after)) {
    outcomes.push(outcome);
    if (outcomes.length >= 2 * mostOutcomes) outcomes.splice(0, mostOutcomes);
  }
  const replay = replayHistory({
    outcomes: outcomes.slice(-mostOutcomes),
    models: choices.map(({ model, weight }) => toRoutedModel(model, weight)),
    decayDays: config.routing.affinity.decayDays,
  });
  return { choices: names, replay };
}
