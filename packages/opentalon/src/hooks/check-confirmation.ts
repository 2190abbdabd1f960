/**
 * Gets: an action that is about to change something. Gives: whether the person has to agree first.
 * Never: takes anything but a clear no for one; a failure or nonsense means that they have to.
 */
import type { CallHookAction } from "./run-preparers.ts";

export interface ConfirmationQuestion {
  readonly plugin: string;
  readonly action: string;
}

export type CheckConfirmation = (
  question: ConfirmationQuestion,
  callAction: CallHookAction,
) => Promise<boolean>;

/** Asks the action that knows which steps a person must approve. */
export function createConfirmationCheck(decider: ConfirmationQuestion): CheckConfirmation {
  return async ({ plugin, action }, callAction) => {
    // The one who decides is not asked about itself.
    if (plugin === decider.plugin) return false;
    const steps = JSON.stringify([{ plugin, action, name: action }]);
    const step = { plugin: decider.plugin, action: decider.action, arguments: { steps } };
    const result = await callAction(step, "confirmation-check");
    return result.isError || !isCleared(result.content);
  };
}

/** `{"requires_confirmation": false}`, and nothing beside it that says otherwise. */
function isCleared(content: string): boolean {
  try {
    const answer = JSON.parse(content) as {
      requires_confirmation?: unknown;
      confirm_before_step?: unknown;
    } | null;
    const step = answer?.confirm_before_step ?? -1;
    return answer?.requires_confirmation === false && typeof step === "number" && step < 0;
  } catch {
    return false;
  }
}
