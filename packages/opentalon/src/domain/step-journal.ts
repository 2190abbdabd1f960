import type { ToolResult } from "./tool.ts";

/** What an earlier run of a turn left behind for one step. */
export type StepRecord =
  /** It began; whether it took effect is not known. */
  { readonly state: "started" } | { readonly state: "recorded"; readonly value: unknown };

/** Steps of one turn, by name: what a crash must not make happen again. */
export interface StepJournal {
  readonly find: (step: string) => StepRecord | undefined;
  /** Durable when it resolves: the step is about to happen. */
  readonly begin: (step: string) => Promise<void>;
  /** Durable when it resolves: the step happened, with this JSON value as its outcome. */
  readonly record: (step: string, value: unknown) => Promise<void>;
}

export interface StepCall {
  readonly step: string;
  /** Whether running it again changes nothing. */
  readonly isReadOnly: boolean;
  /** Makes the call; awaits `onExecute` right before it can take effect, and does nothing when that rejects. */
  readonly run: (onExecute: () => Promise<void>) => Promise<ToolResult>;
}

const unknownOutcome: ToolResult = {
  content:
    "error: the outcome of this call is unknown: OpenTalon was interrupted while it ran. It may or may not have taken effect. Do not repeat it blindly; check first or ask the person.",
  isError: true,
};

/**
 * Makes a call at most once over all runs of its turn: a recorded result is given again, and a call that had begun
 * without a recorded result runs again only if it is read-only.
 */
export async function runRecorded(
  journal: StepJournal,
  { step, isReadOnly, run }: StepCall,
): Promise<ToolResult> {
  const earlier = journal.find(step);
  if (earlier?.state === "recorded") return earlier.value as ToolResult;
  const result =
    earlier?.state === "started" && !isReadOnly
      ? unknownOutcome
      : await run(() => journal.begin(step));
  await journal.record(step, result);
  return result;
}

/** The step of a call: `round` counts the model's replies from 1, `index` the calls of one reply from 0. */
export function toCallStep(round: number, index: number): string {
  return `tool:${round}:${index + 1}`;
}
