/**
 * Gets: the person's text. Gives: the text the model will see, or an answer that needs no model.
 * Never: lets a failing hook pass silently; without `fail_open` the turn ends with a refusal.
 */
import type { Log } from "../base/log.ts";
import type { HookRecord } from "../domain/hook.ts";
import { runRecorded, type StepJournal } from "../domain/step-journal.ts";
import type { ToolResult } from "../domain/tool.ts";
import { parsePreparerResult, type InvokeStep } from "./parse-preparer-result.ts";
import type { ScriptText } from "./parse-script-verdict.ts";
import { type CallScript, runScript, toScriptName } from "./run-script.ts";
import { startReport } from "./start-report.ts";

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
  | {
      readonly kind: "continue";
      readonly content: string;
      /** Places of the message's files that became text and are not shown to models; absent for none. */
      readonly transcribed?: readonly number[];
      /** The message's metadata as the hooks left it; absent when they did not change it. */
      readonly metadata?: Readonly<Record<string, string>>;
    }
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
  /** Calls what a trusted hook wants run: it acts for the person, so the person must be permitted to. */
  readonly invokeAction: CallHookAction;
  /** What was said last, for hooks that look something up; see `toSearchContext`. */
  readonly searchContext?: string | undefined;
  /** Whether running the action again changes nothing. */
  readonly isReadOnly: (step: InvokeStep) => boolean;
  /** What is invoked takes effect outside, so that a crash must not make it happen again. */
  readonly journal: StepJournal;
  /** Runs a script; absent where none can be named. */
  readonly callScript?: CallScript | undefined;
  /** Of the message, for scripts. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Told what each hook did. */
  readonly onHook?: ((record: HookRecord) => void) | undefined;
  readonly log: Log;
}

/** Runs the preparers in list order; each sees what the one before made of the text. */
export async function runPreparers(
  preparers: readonly Preparer[],
  content: string,
  ports: PreparerPorts,
): Promise<PrepareOutcome> {
  let current = content;
  let { metadata } = ports;
  for (const preparer of preparers) {
    const script = toScriptName(preparer.plugin);
    const outcome =
      script === undefined
        ? await runPreparer(preparer, current, ports)
        : await runScriptPreparer(preparer, { content: current, metadata: metadata ?? {} }, ports);
    if (outcome.kind === "answer") return outcome;
    current = outcome.content;
    metadata = outcome.metadata ?? metadata;
  }
  const isChanged = metadata !== undefined && metadata !== ports.metadata;
  return { kind: "continue", content: current, ...(isChanged ? { metadata } : {}) };
}

/** The same for a script, which gives a value instead of a text that may be JSON. */
async function runScriptPreparer(
  { plugin, failOpen, isTrusted }: Preparer,
  given: ScriptText,
  ports: PreparerPorts,
): Promise<PrepareOutcome> {
  const { callScript, onHook = () => undefined, log } = ports;
  const script = toScriptName(plugin) ?? "";
  if (callScript === undefined) throw new Error(`nothing runs scripts, so ${plugin} cannot run`);
  const outcome = await runScript({ script, stage: "before", isTrusted: isTrusted() }, given, {
    callScript,
    onHook,
  });
  const unchanged = { kind: "continue", content: given.content } as const;
  switch (outcome.kind) {
    case "continue": {
      const { content, metadata } = outcome;
      return { kind: "continue", content, ...(metadata === given.metadata ? {} : { metadata }) };
    }
    case "refuse":
      return answer(outcome.message, {});
    case "invoke":
      return runInvoke(outcome.steps, ports);
    case "untrusted":
      log.warn(
        { hook: plugin },
        `a script asked to start actions but is not trusted (lua.scripts.${script}.insecure is not false); going on with the original text`,
      );
      return unchanged;
    case "failed":
      log.warn(
        { hook: plugin, failOpen, line: outcome.error.line, problem: outcome.error.message },
        "a preparer failed",
      );
      if (failOpen) return unchanged;
      // What went wrong inside a script is the operator's to read.
      return answer(
        `Your message was not processed: the check "${plugin}" failed. Try again, or tell the operator.`,
        { type: "error", error_code: "guard_blocked" },
      );
  }
}

async function runPreparer(
  preparer: Preparer,
  content: string,
  ports: PreparerPorts,
): Promise<PrepareOutcome> {
  const { plugin, action } = preparer;
  const hook = `${plugin}__${action}`;
  const report = startReport(hook, ports);
  const { searchContext = "" } = ports;
  const values: Record<string, string> = { [preparer.argumentName]: content };
  if (searchContext !== "") values["search_text"] ??= `${searchContext}\n${content}`;
  const result = await ports.callAction(
    { plugin, action, arguments: values },
    `preparer-${plugin}-${action}`,
  );
  if (result.isError) {
    report("failed");
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
  const verdict = parsePreparerResult(result.content, content);
  switch (verdict.kind) {
    case "replace":
      report(verdict.content === content ? "unchanged" : "changed");
      return { kind: "continue", content: verdict.content };
    case "refuse":
      report("refused");
      return answer(verdict.message, {});
    case "invoke":
      report(preparer.isTrusted() ? "invoked" : "unchanged");
      if (preparer.isTrusted()) return runInvoke(verdict.steps, ports);
      ports.log.warn(
        { hook },
        `a preparer asked to start actions but is not trusted (plugins.${plugin}.insecure is not false); going on with the original text`,
      );
      return { kind: "continue", content };
  }
}

export type InvokePorts = Pick<PreparerPorts, "invokeAction" | "isReadOnly" | "journal">;

/**
 * Runs the actions a trusted hook asked for, each with the result of the one before; the result is the reply.
 * `label` tells their journal entries from those of other hooks of the turn.
 */
export async function runInvoke(
  steps: readonly InvokeStep[],
  ports: InvokePorts,
  label = "invoke",
): Promise<Extract<PrepareOutcome, { kind: "answer" }>> {
  let previous = "";
  let lastAction = "";
  for (const [index, given] of steps.entries()) {
    const chained = index > 0 && previous !== "";
    const step = chained
      ? { ...given, arguments: { ...given.arguments, previous_result: previous } }
      : given;
    const name = `${label}-${index + 1}-${step.plugin}-${step.action}`;
    const result = await runRecorded(ports.journal, {
      step: name,
      isReadOnly: ports.isReadOnly(step),
      run: (onExecute) => ports.invokeAction(step, name, onExecute),
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

function answer(
  content: string,
  metadata: Readonly<Record<string, string>>,
): Extract<PrepareOutcome, { kind: "answer" }> {
  return { kind: "answer", content, metadata };
}
