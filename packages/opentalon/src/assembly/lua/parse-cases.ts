import { readValues } from "../../config/read-values.ts";
import type { LuaValue } from "../../hooks/lua/lua-value.ts";
import type { LuaContext } from "../../hooks/lua/worker-messages.ts";

/** One case of a `*.cases.yaml` file: what a script is given, and what must come of it. */
export interface ScriptCase {
  readonly name: string;
  /** 0 when it is not known. */
  readonly line: number;
  readonly script: string;
  readonly stage: "before" | "after";
  readonly context: LuaContext;
  readonly metadata: Readonly<Record<string, string>>;
  readonly keyValue: Readonly<Record<string, string>>;
  /** Answers to `ctx.llm`, in order. */
  readonly answers: readonly ModelAnswer[];
  readonly expected: Expected;
}

export type ModelAnswer =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "failure"; readonly problem: string };

/** What is absent is not compared. */
export interface Expected {
  readonly message?: string | undefined;
  readonly contains: readonly string[];
  readonly lacks: readonly string[];
  /** `true` for any words. */
  readonly refused?: string | true | undefined;
  /** `null` for an entry that must not be there. */
  readonly metadata: Readonly<Record<string, string | null>>;
  readonly keyValue: Readonly<Record<string, string | null>>;
  readonly invoke?: LuaValue | undefined;
  /** Part of the error with which the script must fail. */
  readonly error?: string | undefined;
}

const maxCases = 1_000;

/**
 * Reads the cases of a file; `script` is the one they are for unless they name another.
 * @throws RangeError that says what is wrong, and in which case.
 */
export function parseCases(text: string, script: string): readonly ScriptCase[] {
  const { value, problem, lineOf } = readValues(text);
  if (problem !== "") throw new RangeError(problem);
  const file = toMap(value, "the file", ["script", "stage", "cases"]);
  const cases = file["cases"];
  if (!Array.isArray(cases) || cases.length === 0 || cases.length > maxCases)
    throw new RangeError(`the file needs \`cases:\`, a list of 1 to ${maxCases} cases`);
  const named = toText(file["script"], "script") ?? script;
  const stage = toStage(file["stage"], "before", "the file");
  return cases.map((each, index) => toCase(each, lineOf(["cases", index]), named, stage));
}

const caseKeys =
  "name script stage message response_format session_id actor channel channel_kind metadata kv llm expect".split(
    " ",
  );

function toCase(
  value: unknown,
  line: number,
  script: string,
  fallbackStage: "before" | "after",
): ScriptCase {
  const place = `the case in line ${line}`;
  const given = toMap(value, place, caseKeys);
  const text = (key: string): string | undefined => toText(given[key], `${place}: ${key}`);
  const message = text("message");
  if (message === undefined) throw new RangeError(`${place}: \`message\` is missing`);
  if (given["expect"] === undefined) throw new RangeError(`${place}: \`expect\` is missing`);
  const metadata = toTexts(given["metadata"], `${place}: metadata`);
  return {
    name: text("name") ?? message.slice(0, 60),
    line,
    script: text("script") ?? script,
    stage: toStage(given["stage"], fallbackStage, place),
    context: {
      message,
      session_id: text("session_id") ?? "console:local",
      actor: text("actor") ?? "console:local",
      channel: text("channel") ?? "console",
      channel_kind: text("channel_kind") ?? "console",
      response_format: text("response_format") ?? "",
      metadata,
    },
    metadata,
    keyValue: toTexts(given["kv"], `${place}: kv`),
    answers: toAnswers(given["llm"], place),
    expected: toExpected(given["expect"], `${place}: expect`),
  };
}

const expectedKeys = "message contains lacks refused metadata kv invoke error".split(" ");

function toExpected(value: unknown, place: string): Expected {
  const nothing = { contains: [], lacks: [], metadata: {}, keyValue: {} };
  if (typeof value === "string") return { ...nothing, message: value };
  const expected = toMap(value, place, expectedKeys);
  const { refused, invoke } = expected;
  if (Object.keys(expected).length === 0)
    throw new RangeError(`${place}: name at least one of ${expectedKeys.join(", ")}`);
  return {
    message: toText(expected["message"], `${place}: message`),
    contains: toList(expected["contains"], `${place}: contains`),
    lacks: toList(expected["lacks"], `${place}: lacks`),
    refused: refused === true ? true : toText(refused, `${place}: refused`),
    metadata: toTextsOrNull(expected["metadata"], `${place}: metadata`),
    keyValue: toTextsOrNull(expected["kv"], `${place}: kv`),
    invoke: invoke as LuaValue | undefined,
    error: toText(expected["error"], `${place}: error`),
  };
}

function toAnswers(value: unknown, place: string): readonly ModelAnswer[] {
  if (value === undefined || value === null) return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.map((each) => {
    if (typeof each === "object" && each !== null) {
      const { error } = toMap(each, `${place}: llm`, ["error"]);
      return { kind: "failure", problem: toText(error, `${place}: llm.error`) ?? "no answer" };
    }
    return { kind: "text", text: toText(each, `${place}: llm`) ?? "" };
  });
}

function toMap(
  value: unknown,
  place: string,
  keys: readonly string[] | undefined,
): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new RangeError(`${place} must be a map`);
  const unknown = keys && Object.keys(value).find((key) => !keys.includes(key));
  if (unknown === undefined) return value as Readonly<Record<string, unknown>>;
  throw new RangeError(`${place}: there is no key "${unknown}"; there are ${keys?.join(", ")}`);
}

function toText(value: unknown, place: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new RangeError(`${place} must be a text`);
}

function toList(value: unknown, place: string): readonly string[] {
  if (value === undefined) return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.map((each) => toText(each, place) ?? "");
}

function toTextsOrNull(value: unknown, place: string): Readonly<Record<string, string | null>> {
  if (value === undefined || value === null) return {};
  const entries = Object.entries(toMap(value, place, undefined));
  return Object.fromEntries(
    entries.map(([key, each]) => [key, toText(each, `${place}.${key}`) ?? null]),
  );
}

function toTexts(value: unknown, place: string): Readonly<Record<string, string>> {
  const entries = Object.entries(toTextsOrNull(value, place));
  return Object.fromEntries(entries.map(([key, each]) => [key, each ?? ""]));
}

function toStage(value: unknown, fallback: "before" | "after", place: string): "before" | "after" {
  if (value === undefined) return fallback;
  if (value === "before" || value === "after") return value;
  throw new RangeError(`${place}: \`stage\` is before (the model) or after (it)`);
}
