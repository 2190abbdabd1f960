import type { Log } from "../base/log.ts";
import { type Tool, type ToolParameter, toToolName } from "../domain/tool.ts";
import { createSchemaCompiler } from "./compile-schema.ts";
import { isObject, type JsonType, parseParameterSchema, toJsonType } from "./parameter-schema.ts";
import { offeredParameters } from "./tool-specification.ts";

export type ArgumentVerdict =
  | { readonly kind: "valid"; readonly arguments: Readonly<Record<string, unknown>> }
  /** `problems` say it so that a model can correct itself. */
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

export interface ArgumentValidator {
  /**
   * Judges the arguments of a model's call before the plugin sees them.
   *
   * Lenient where models are sloppy in harmless ways, because the plugin gets text anyway: `"3"` and `3.0` pass for an
   * integer and `"true"` for a boolean; numbers, booleans, objects and lists pass for a text; an object or a list may
   * come as its JSON text; `null` counts as absent. Arguments the host fills are taken out without a word.
   */
  readonly validate: (
    tool: Tool,
    values: Readonly<Record<string, unknown>>,
  ) => Promise<ArgumentVerdict>;
}

const maxProblems = 20;

export function createArgumentValidator({
  log,
}: {
  readonly log: Pick<Log, "warn">;
}): ArgumentValidator {
  const compiler = createSchemaCompiler();

  const judge = async (
    tool: Tool,
    parameter: ToolParameter,
    value: unknown,
  ): Promise<readonly string[]> => {
    const schema = parseParameterSchema(parameter);
    if (schema !== undefined) {
      const check = await compiler.compile(schema);
      if (check !== undefined) {
        const problems = check(value);
        if (problems.length === 0) return [];
        const parsed = parseContainer(value);
        return parsed !== undefined && check(parsed).length === 0 ? [] : problems;
      }
      log.warn(
        { tool: toToolName(tool), parameter: parameter.name },
        "schema of a tool's parameter cannot be used: only its type is checked",
      );
    }
    const type = toJsonType(parameter.type);
    return fitsType(value, type) ? [] : [`must be ${article(type)} ${type}`];
  };

  const validate: ArgumentValidator["validate"] = async (tool, values) => {
    const parameters = new Map(
      offeredParameters(tool).map((parameter) => [parameter.name, parameter]),
    );
    const given = Object.entries(values).filter(
      ([name, value]) =>
        value !== null && value !== undefined && !tool.contextArguments.includes(name),
    );
    const problems: string[] = [];
    const unknown = given.filter(([name]) => !parameters.has(name)).map(([name]) => quote(name));
    if (unknown.length > 0) {
      const allowed = [...parameters.keys()].map(quote).join(", ");
      problems.push(
        `unknown argument${unknown.length > 1 ? "s" : ""} ${unknown.slice(0, maxProblems).join(", ")}; ${
          allowed === "" ? "this tool takes no arguments" : `allowed: ${allowed}`
        }`,
      );
    }
    const names = new Set(given.map(([name]) => name));
    for (const { name, required } of parameters.values()) {
      if (required && !names.has(name)) problems.push(`missing required argument ${quote(name)}`);
    }
    const kept: [string, unknown][] = [];
    for (const [name, value] of given) {
      const parameter = parameters.get(name);
      if (parameter === undefined) continue;
      for (const problem of await judge(tool, parameter, value)) {
        problems.push(`${quote(name)} ${problem}, got ${quote(value)}`);
      }
      kept.push([name, toCanonical(parameter, value)]);
    }
    if (problems.length > 0) return { kind: "invalid", problems: problems.slice(0, maxProblems) };
    return { kind: "valid", arguments: Object.fromEntries(kept) };
  };
  return { validate };
}

function fitsType(value: unknown, type: JsonType): boolean {
  switch (type) {
    case "string":
      return true;
    case "number":
      return toNumber(value) !== undefined;
    case "integer":
      return typeof value === "bigint" || Number.isInteger(toNumber(value));
    case "boolean":
      return typeof value === "boolean" || value === "true" || value === "false";
    case "object":
      return isObject(value) || isObject(parseContainer(value));
    case "array":
      return Array.isArray(value) || Array.isArray(parseContainer(value));
    case "null":
      return value === null;
  }
}

/** Go reads `3`, not `3.0`; a text stays a text, so that the encoding cannot take it for nothing. */
function toCanonical(parameter: ToolParameter, value: unknown): unknown {
  if (typeof value !== "string") return value;
  const type = parseParameterSchema(parameter)?.["type"] ?? toJsonType(parameter.type);
  if (type !== "integer") return value;
  const number = toNumber(value);
  return Number.isSafeInteger(number) ? String(number) : value.trim();
}

function toNumber(value: unknown): number | undefined {
  if (typeof value === "number" || typeof value === "bigint") return Number(value);
  if (
    typeof value !== "string" ||
    !/^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?\s*$/i.test(value)
  ) {
    return undefined;
  }
  return Number(value);
}

/** The object or list a text is the JSON of. */
function parseContainer(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return undefined;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return undefined;
  }
}

function article(type: JsonType): string {
  return /^[aio]/.test(type) ? "an" : "a";
}

const maxQuoted = 80;

function quote(value: unknown): string {
  const text =
    JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? String(part) : part)) ??
    "nothing";
  return text.length > maxQuoted ? `${text.slice(0, maxQuoted).toWellFormed()}…` : text;
}
