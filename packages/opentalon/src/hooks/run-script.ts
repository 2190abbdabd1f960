import { HookError, toMessage } from "../base/errors.ts";
import type { HookRecord } from "../domain/hook.ts";
import { startReport } from "./start-report.ts";
import { parseScriptVerdict, type ScriptText, type ScriptVerdict } from "./parse-script-verdict.ts";

/** Runs the functions that a script has for one stage. Rejects with a `HookError`, or when the turn is aborted. */
export type CallScript = (
  script: string,
  stage: "before" | "after",
  given: ScriptText,
) => Promise<unknown>;

export interface ScriptPorts {
  readonly callScript: CallScript;
  /** Told of every run. */
  readonly onHook: (record: HookRecord) => void;
}

export interface ScriptStep {
  readonly script: string;
  readonly stage: "before" | "after";
  readonly isTrusted: boolean;
}

export type ScriptOutcome =
  | ScriptVerdict
  /** It wanted actions started and is not trusted to. */
  | { readonly kind: "untrusted" }
  | { readonly kind: "failed"; readonly error: HookError };

const prefix = "lua:";

/** The script that an entry of the configuration names, `undefined` when it names a plugin. */
export function toScriptName(plugin: string): string | undefined {
  return plugin.startsWith(prefix) ? plugin.slice(prefix.length) : undefined;
}

/** Runs one script over a text and says what came of it. Rejects only on abort. */
export async function runScript(
  { script, stage, isTrusted }: ScriptStep,
  given: ScriptText,
  { callScript, onHook }: ScriptPorts,
): Promise<ScriptOutcome> {
  const report = startReport(`${prefix}${script}`, { onHook });
  try {
    const value = await callScript(script, stage, given);
    const verdict = toVerdict(script, stage, value, given);
    if (verdict.kind === "invoke" && !isTrusted) {
      report("unchanged");
      return { kind: "untrusted" };
    }
    report(toEffect(verdict, given));
    return verdict;
  } catch (error) {
    if (!(error instanceof HookError)) throw error;
    report("failed");
    return { kind: "failed", error };
  }
}

function toVerdict(
  script: string,
  stage: "before" | "after",
  value: unknown,
  given: ScriptText,
): ScriptVerdict {
  try {
    const verdict = parseScriptVerdict(value, stage, given);
    const isSame = verdict.kind === "continue" && isEqual(verdict.metadata, given.metadata);
    return isSame ? { ...verdict, metadata: given.metadata } : verdict;
  } catch (error) {
    throw new HookError("HOOK_INVALID_RESULT", toMessage(error), { script });
  }
}

function toEffect(verdict: ScriptVerdict, given: ScriptText): HookRecord["effect"] {
  switch (verdict.kind) {
    case "refuse":
      return "refused";
    case "invoke":
      return "invoked";
    case "continue": {
      const isSame = verdict.content === given.content && verdict.metadata === given.metadata;
      return isSame ? "unchanged" : "changed";
    }
  }
}

function isEqual(
  one: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): boolean {
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}
