import type { StepJournal, StepRecord } from "../domain/step-journal.ts";
import type { Turn } from "../domain/turn.ts";
import type { Journal } from "./ports.ts";

/** The journal of one turn. Only a turn taken over has steps on disk, so a fresh one is spared the query. */
export async function openStepJournal(journal: Journal, turn: Turn): Promise<StepJournal> {
  const steps = new Map<string, StepRecord>();
  for (const { step, state, value } of turn.attempt > 1 ? await journal.load(turn.id) : []) {
    if (state === "recorded") steps.set(step, { state, value });
    else if (!steps.has(step)) steps.set(step, { state });
  }
  return {
    find: (step) => steps.get(step),
    begin: (step) => journal.begin(turn.id, step),
    record: (step, value) => journal.record(turn.id, step, value),
  };
}
