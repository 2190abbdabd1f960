import type { ValidateFunction } from "ajv";
import { type JsonSchema, isObject } from "./parameter-schema.ts";

/** Checks one value; the lines say what is wrong with it, none when it fits. */
export type SchemaCheck = (value: unknown) => readonly string[];

export interface SchemaCompiler {
  /**
   * The check of a schema; `undefined` when it cannot be compiled.
   * Texts are taken for numbers and booleans (and back) where they can be; the value handed in is not changed.
   */
  readonly compile: (schema: JsonSchema) => Promise<SchemaCheck | undefined>;
}

const maxCompiled = 256;
const maxProblems = 5;

/**
 * Compiles schemas that plugins wrote. Only keywords are kept whose cost is bounded by the size of the value: patterns
 * and formats could hang the process, references could reach elsewhere.
 */
export function createSchemaCompiler(): SchemaCompiler {
  const compiled = new Map<string, SchemaCheck | undefined>();
  const compile = async (schema: JsonSchema): Promise<SchemaCheck | undefined> => {
    const key = JSON.stringify(schema);
    if (compiled.has(key)) {
      const known = compiled.get(key);
      // Last used, last forgotten.
      compiled.delete(key);
      compiled.set(key, known);
      return known;
    }
    const check = await compileCheck(schema);
    compiled.set(key, check);
    const [oldest] = compiled.keys();
    if (compiled.size > maxCompiled && oldest !== undefined) compiled.delete(oldest);
    return check;
  };
  return { compile };
}

async function compileCheck(schema: JsonSchema): Promise<SchemaCheck | undefined> {
  const { Ajv } = await import("ajv");
  // One instance per schema: an instance keeps all it ever compiled.
  const ajv = new Ajv({
    strict: false,
    coerceTypes: true,
    validateFormats: false,
    logger: false,
    ownProperties: true,
  });
  let validate: ValidateFunction;
  try {
    // The value is wrapped, because ajv coerces only what it can assign.
    validate = ajv.compile({ type: "object", properties: { value: keepBounded(schema) } });
  } catch {
    return undefined;
  }
  return (value) => {
    if (validate({ value: structuredClone(value) })) return [];
    const problems = (validate.errors ?? []).map(({ instancePath, message, params }) => {
      const path = instancePath.replace(/^\/value\/?/, "").replaceAll("/", ".");
      const allowed: unknown = (params as { allowedValues?: unknown }).allowedValues;
      const values = allowed === undefined ? "" : `: ${JSON.stringify(allowed).slice(0, 500)}`;
      const place = path === "" ? "" : `at ${path} `;
      return `${place}${message ?? "does not fit"}${values}`;
    });
    return [...new Set(problems)].slice(0, maxProblems);
  };
}

const plainKeywords = new Set([
  "type",
  "enum",
  "const",
  "required",
  "nullable",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "minProperties",
  "maxProperties",
]);
const schemaKeywords = new Set([
  "items",
  "additionalProperties",
  "not",
  "contains",
  "if",
  "then",
  "else",
]);
const schemaListKeywords = new Set(["allOf", "anyOf", "oneOf"]);

/** The schema with the keywords above only. */
function keepBounded(schema: unknown): unknown {
  if (!isObject(schema)) return typeof schema === "boolean" ? schema : {};
  const kept: [string, unknown][] = [];
  for (const [key, value] of Object.entries(schema)) {
    if (plainKeywords.has(key)) kept.push([key, value]);
    else if (schemaKeywords.has(key) && !Array.isArray(value)) kept.push([key, keepBounded(value)]);
    else if (schemaListKeywords.has(key) && Array.isArray(value))
      kept.push([key, value.map(keepBounded)]);
    else if (key === "properties" && isObject(value)) {
      kept.push([
        key,
        Object.fromEntries(
          Object.entries(value).map(([name, member]) => [name, keepBounded(member)]),
        ),
      ]);
    }
  }
  // Properties that only patterns describe must not count as unknown once the patterns are gone.
  const isOpen = schema["patternProperties"] !== undefined;
  return Object.fromEntries(isOpen ? kept.filter(([key]) => key !== "additionalProperties") : kept);
}
