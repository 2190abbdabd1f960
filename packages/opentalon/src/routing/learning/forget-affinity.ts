import type { RoutingStore } from "../../store/ports.ts";
import { createEmptySnapshot, overlapMs } from "./affinity.ts";
import { readOutcomes } from "./read-outcomes.ts";

/**
 * Forgets all that was learnt from judgements that are stored by now; the next ones count again. Programs that work on
 * the same store notice by themselves. The history stays, for reports.
 */
export async function forgetAffinity(store: RoutingStore): Promise<void> {
  const through = store.signalIdAt(overlapMs);
  // One by one instead of by time: replicas whose clock goes a little behind still judge under identifiers below ours.
  const recent: string[] = [];
  for await (const { signalId } of readOutcomes(store, through)) recent.push(signalId);
  await store.restart(createEmptySnapshot(through, recent));
}
