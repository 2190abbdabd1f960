import type { ToolParameter } from "../domain/tool.ts";
import { neutralise } from "./guard/neutralise.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

export const jsonTypes = [
  "string",
  "number",
  "integer",
  "boolean",
  "object",
  "array",
  "null",
] as const;
export type JsonType = (typeof jsonTypes)[number];

/** Bounds for what a plugin may declare; a larger schema counts as none. */
const maxSchemaLength = 32_768;
const maxDepth = 24;

/**
 * The JSON Schema a plugin gave for a parameter, ready to be shown and compiled; `undefined` when there is none that can be
 * used: not a single JSON object, unknown types, references (there is nothing they could point to), or too large.
 * Markers inside its descriptions are neutralised.
 */
export function parseParameterSchema(parameter: ToolParameter): JsonSchema | undefined {
  if (parameter.schema === "" || parameter.schema.length > maxSchemaLength) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(neutralise(parameter.schema));
  } catch {
    return undefined;
  }
  return isObject(parsed) && isUsable(parsed, 0) ? parsed : undefined;
}

/** The plain type of a parameter; text when it names none that JSON Schema knows. */
export function toJsonType(type: string): JsonType {
  const known = jsonTypes.find((name) => name === type.trim().toLowerCase());
  return known ?? "string";
}

const references = new Set(["$ref", "$dynamicRef", "$recursiveRef"]);
/** Their values are data, not schemas. */
const literals = new Set(["const", "enum", "default", "examples"]);

function isUsable(value: unknown, depth: number): boolean {
  if (depth > maxDepth) return false;
  if (Array.isArray(value)) return value.every((item) => isUsable(item, depth + 1));
  if (!isObject(value)) return true;
  return Object.entries(value).every(([key, member]) => {
    if (references.has(key)) return false;
    if (literals.has(key)) return isShallow(member, depth + 1);
    if (key === "type" && (typeof member === "string" || Array.isArray(member)))
      return isKnownType(member);
    return isUsable(member, depth + 1);
  });
}

function isShallow(value: unknown, depth: number): boolean {
  if (depth > maxDepth) return false;
  if (typeof value !== "object" || value === null) return true;
  return Object.values(value).every((item) => isShallow(item, depth + 1));
}

function isKnownType(type: string | readonly unknown[]): boolean {
  const names: readonly unknown[] = typeof type === "string" ? [type] : type;
  return names.length > 0 && names.every((name) => jsonTypes.some((known) => known === name));
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
