import type { RoutingOutcome, RoutingStore } from "../../store/ports.ts";

const batchSize = 1_000;

/** All judged answers after `afterId`, oldest first, read piece by piece. */
export async function* readOutcomes(
  store: Pick<RoutingStore, "outcomes">,
  afterId: string,
): AsyncGenerator<RoutingOutcome, void, void> {
  for (let after = afterId; ;) {
    const outcomes = await store.outcomes(after, batchSize);
    yield* outcomes;
    const last = outcomes.at(-1);
    if (last === undefined || outcomes.length < batchSize) return;
    after = last.signalId;
  }
}
