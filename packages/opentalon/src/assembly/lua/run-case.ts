import { isDeepStrictEqual } from "node:util";
import { HookError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { LuaScripts, ScriptStore } from "../../hooks/lua/create-lua-scripts.ts";
import { parseScriptVerdict, type ScriptVerdict } from "../../hooks/parse-script-verdict.ts";
import { describeDifference } from "./describe-difference.ts";
import type { Expected, ScriptCase } from "./parse-cases.ts";

/** What scripts keep while a case runs. */
export interface CaseStore extends ScriptStore {
  readonly start: (entries: Readonly<Record<string, string>>) => void;
  readonly read: (key: string) => string | undefined;
}

export function createCaseStore(): CaseStore {
  let entries = new Map<string, string>();
  return {
    start: (given) => void (entries = new Map(Object.entries(given))),
    read: (key) => entries.get(key),
    get: async (_script, key) => entries.get(key),
    set: async (_script, key, value) => {
      if (value === undefined) entries.delete(key);
      else entries.set(key, value);
    },
  };
}

type Outcome = ScriptVerdict | { readonly kind: "failed"; readonly problem: string };

/** Runs one case; the lines say what was different, none when it passed. */
export async function runCase(
  given: ScriptCase,
  { scripts, store, log }: { scripts: LuaScripts; store: CaseStore; log: Log },
): Promise<readonly string[]> {
  store.start(given.keyValue);
  const answers = [...given.answers];
  const askModel = async (): Promise<string> => {
    const answer = answers.shift();
    if (answer?.kind === "text") return answer.text;
    throw new Error(answer?.problem ?? "the case has no answer left under `llm`");
  };
  let outcome: Outcome;
  try {
    const value = await scripts.run(given.script, given.stage, given.context, { askModel, log });
    const content = given.context["message"] as string;
    outcome = parseScriptVerdict(value, given.stage, { content, metadata: given.metadata });
  } catch (error) {
    if (!(error instanceof HookError) && !(error instanceof RangeError)) throw error;
    outcome = { kind: "failed", problem: error.message };
  }
  return compare(outcome, given.expected, store.read);
}

function compare(
  outcome: Outcome,
  expected: Expected,
  readKey: (key: string) => string | undefined,
): readonly string[] {
  const { refused, error, invoke } = expected;
  const wanted =
    error !== undefined
      ? "failed"
      : refused !== undefined
        ? "refuse"
        : invoke !== undefined
          ? "invoke"
          : "continue";
  if (outcome.kind !== wanted)
    return [`expected that ${outcomeNames[wanted]}, but ${describeOutcome(outcome)}`];
  const problems: string[] = [];
  const compareTexts = (what: string, text: string, whole: string | true | undefined): void => {
    if (typeof whole === "string" && text !== whole)
      problems.push(...describeDifference(what, whole, text));
    for (const part of expected.contains)
      if (!text.includes(part)) problems.push(`${what} lacks ${quote(part)}: ${quote(text)}`);
    for (const part of expected.lacks)
      if (text.includes(part))
        problems.push(`${what} must not hold ${quote(part)}: ${quote(text)}`);
  };
  const compareEntries = (
    what: string,
    entries: Readonly<Record<string, string | null>>,
    read: (key: string) => string | undefined,
  ): void => {
    for (const [key, value] of Object.entries(entries)) {
      const actual = read(key);
      if (actual === (value ?? undefined)) continue;
      const shown = actual === undefined ? "absent" : quote(actual);
      problems.push(
        `${what} ${key}: expected ${value === null ? "none" : quote(value)}, got ${shown}`,
      );
    }
  };
  switch (outcome.kind) {
    case "failed":
      if (!outcome.problem.includes(error ?? ""))
        problems.push(
          `expected an error with ${quote(error ?? "")}, got ${quote(outcome.problem)}`,
        );
      break;
    case "refuse":
      compareTexts("refusal", outcome.message, refused);
      break;
    case "invoke":
      if (!isDeepStrictEqual(toSteps(outcome.steps), toSteps(invoke)))
        problems.push(
          ...describeDifference("invoke", toJson(toSteps(invoke)), toJson(toSteps(outcome.steps))),
        );
      break;
    case "continue":
      compareTexts("message", outcome.content, expected.message);
      compareEntries("metadata", expected.metadata, (key) =>
        Object.hasOwn(outcome.metadata, key) ? outcome.metadata[key] : undefined,
      );
      break;
  }
  compareEntries("kv", expected.keyValue, readKey);
  return problems;
}

const outcomeNames = {
  failed: "the script fails",
  refuse: "the message is refused",
  invoke: "actions are started",
  continue: "the message goes on",
} as const;

function describeOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case "failed":
      return `the script failed: ${outcome.problem}`;
    case "refuse":
      return `it was refused: ${quote(outcome.message)}`;
    case "invoke":
      return `it started ${toJson(toSteps(outcome.steps))}`;
    case "continue":
      return `the message went on: ${quote(outcome.content)}`;
  }
}

/** Steps as a script writes them: `args`, and a list also for one. */
function toSteps(value: unknown): unknown {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.map((each) => {
    if (typeof each !== "object" || each === null) return each;
    const step = each as Readonly<Record<string, unknown>>;
    return {
      plugin: step["plugin"],
      action: step["action"],
      args: { ...((step["arguments"] ?? step["args"]) as object | undefined) },
    };
  });
}

function toJson(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

const maxShown = 400;

function quote(text: string): string {
  return JSON.stringify(text.length > maxShown ? `${text.slice(0, maxShown)}…` : text);
}
