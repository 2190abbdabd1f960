/**
 * Gets: the person's text. Gives: the text the model will see, or an answer that needs no model.
 * Never: lets a failing hook pass silently; without `fail_open` the turn ends with a refusal.
 */
import type { Log } from "../base/log.ts";
import { runRecorded, type StepJournal } from "../domain/step-journal.ts";
import type { ToolResult } from "../domain/tool.ts";
import { parsePreparerResult, type InvokeStep } from "./parse-preparer-result.ts";

/** One entry of `orchestrator.content_preparers`. */
export interface Preparer {
  readonly plugin: string;
  readonly action: string;
  /** Argument that carries the text. */
  readonly argumentName: string;
  /** Go on with the unchanged text when the hook fails. */
  readonly failOpen: boolean;
  /**
   * Whether the hook may start other actions (`plugins.<name>.insecure: false`); asked each time, because who answers to
   * a plugin's name is known only while it runs.
   */
  readonly isTrusted: () => boolean;
}

export type PrepareOutcome =
  | { readonly kind: "continue"; readonly content: string }
  /** The turn ends here with these words; no model is asked. */
  | {
      readonly kind: "answer";
      readonly content: string;
      readonly metadata: Readonly<Record<string, string>>;
    };

/**
 * Calls an action on behalf of a hook; the result has passed the guard. `onExecute` is awaited right before the plugin
 * is asked. Rejects only on abort or when `onExecute` rejects.
 */
export type CallHookAction = (
  step: InvokeStep,
  callId: string,
  onExecute?: () => Promise<void>,
) => Promise<ToolResult>;

export interface PreparerPorts {
  readonly callAction: CallHookAction;
  /** Whether running the action again changes nothing. */
  readonly isReadOnly: (step: InvokeStep) => boolean;
  /** What is invoked takes effect outside, so that a crash must not make it happen again. */
  readonly journal: StepJournal;
  readonly log: Log;
}

/** Runs the preparers in list order; each sees what the one before made of the text. */
export async function runPreparers(
  preparers: readonly Preparer[],
  content: string,
  ports: PreparerPorts,
): Promise<PrepareOutcome> {
  let current = content;
  for (const preparer of preparers) {
    const outcome = await runPreparer(preparer, current, ports);
    if (outcome.kind === "answer") return outcome;
    current = outcome.content;
  }
  return { kind: "continue", content: current };
}

async function runPreparer(
  preparer: Preparer,
  content: string,
  ports: PreparerPorts,
): Promise<PrepareOutcome> {
  const { plugin, action } = preparer;
  const hook = `${plugin}__${action}`;
  const result = await ports.callAction(
    { plugin, action, arguments: { [preparer.argumentName]: content } },
    `preparer-${plugin}-${action}`,
  );
  if (result.isError) {
    ports.log.warn(
      { hook, failOpen: preparer.failOpen, problem: result.content },
      "a preparer failed",
    );
    if (preparer.failOpen) return { kind: "continue", content };
    return answer(
      `Your message was not processed: the check "${hook}" failed (${result.content}). Try again, or tell the operator.`,
      { type: "error", error_code: "guard_blocked" },
    );
  }
  const verdict = parsePreparerResult(result.content);
  switch (verdict.kind) {
    case "replace":
      return { kind: "continue", content: verdict.content };
    case "refuse":
      return answer(verdict.message, {});
    case "invoke":
      if (preparer.isTrusted()) return runInvoke(verdict.steps, ports);
      ports.log.warn(
        { hook },
        `a preparer asked to start actions but is not trusted (plugins.${plugin}.insecure is not false); going on with the original text`,
      );
      return { kind: "continue", content };
  }
}

async function runInvoke(
  steps: readonly InvokeStep[],
  ports: PreparerPorts,
): Promise<PrepareOutcome> {
  let previous = "";
  let lastAction = "";
  for (const [index, given] of steps.entries()) {
    const chained = index > 0 && previous !== "";
    const step = chained
      ? { ...given, arguments: { ...given.arguments, previous_result: previous } }
      : given;
    const name = `invoke-${index + 1}-${step.plugin}-${step.action}`;
    const result = await runRecorded(ports.journal, {
      step: name,
      isReadOnly: ports.isReadOnly(step),
      run: (onExecute) => ports.callAction(step, name, onExecute),
    });
    lastAction = step.action;
    if (result.isError)
      return answer(`Invoke step failed: ${result.content}`, {
        type: "system",
        action: lastAction,
      });
    previous = result.content;
  }
  return answer(previous === "" ? "(No output from invoke steps.)" : previous, {
    type: "system",
    action: lastAction,
  });
}

function answer(content: string, metadata: Readonly<Record<string, string>>): PrepareOutcome {
  return { kind: "answer", content, metadata };
}
