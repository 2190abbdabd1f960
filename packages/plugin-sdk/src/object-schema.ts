/**
 * Parameters as a schema library writes them. The library checks the values and says what a model is told; this file only
 * turns the texts of the wire into the values such a schema describes.
 */
import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import type { Parameter, ParameterType } from "./parameter.ts";

/**
 * The schema of an object, of any library that implements Standard Schema and Standard JSON Schema: zod 4, arktype, valibot
 * (there by `toStandardJsonSchema` of `@valibot/to-json-schema`) and others.
 */
export interface ObjectSchema<Input = unknown, Output = Input> {
  readonly "~standard": StandardSchemaV1.Props<Input, Output> &
    StandardJSONSchemaV1.Props<Input, Output>;
}

/** What the arguments are once such a schema has checked them. */
export type OutputOf<Schema extends ObjectSchema> = StandardSchemaV1.InferOutput<Schema>;

/** An object schema as the server uses it. */
export interface SchemaReader {
  readonly parameters: readonly Parameter[];
  /**
   * The checked arguments, as the schema gives them out. Texts that are no parameter are left out.
   * @throws Error that names each wrong argument, for the model to read.
   */
  readonly parse: (args: Readonly<Record<string, string>>) => Promise<unknown>;
}

export function isObjectSchema(value: unknown): value is ObjectSchema {
  const isHolder = typeof value === "object" || typeof value === "function";
  return isHolder && value !== null && "~standard" in value && isObject(value["~standard"]);
}

/** @throws Error that says what the schema lacks. */
export function readObjectSchema(schema: ObjectSchema): SchemaReader {
  const root = toJsonSchema(schema);
  const definitions = root["$defs"] ?? root["definitions"];
  const required = new Set(Array.isArray(root["required"]) ? root["required"] : []);
  const properties = Object.entries(isObject(root["properties"]) ? root["properties"] : {}).map(
    ([name, property]) => {
      const fragment = inline(property, isObject(definitions) ? definitions : {}, []);
      return { name, fragment, isRequired: required.has(name), types: findTypes(fragment) };
    },
  );
  return {
    parameters: properties.map(({ name, fragment, isRequired, types }) => ({
      name,
      description: isObject(fragment) ? toText(fragment["description"]) : "",
      type: types.find((type) => type !== "null") ?? "string",
      required: isRequired,
      schema: JSON.stringify(fragment),
    })),
    parse: async (args) => {
      const values: Record<string, unknown> = {};
      for (const { name, isRequired, types } of properties) {
        if (Object.hasOwn(args, name)) values[name] = toValue(args[name] ?? "", types);
        // The host leaves `null` out.
        else if (isRequired && types.includes("null")) values[name] = null;
      }
      const result = await schema["~standard"].validate(values);
      if (result.issues === undefined) return result.value;
      throw new Error(describeIssues(result.issues, values));
    },
  };
}

type JsonObject = Readonly<Record<string, unknown>>;
type JsonType = ParameterType | "null";

function toJsonSchema(schema: ObjectSchema): JsonObject {
  const { vendor, jsonSchema } = schema["~standard"] as Partial<(typeof schema)["~standard"]>;
  if (typeof jsonSchema?.input !== "function") {
    const hint =
      vendor === "valibot" ? "; wrap it by toStandardJsonSchema of @valibot/to-json-schema" : "";
    throw new Error(
      `a schema of ${vendor ?? "this library"} cannot be used, it gives no JSON Schema${hint}`,
    );
  }
  const root = jsonSchema.input({ target: "draft-2020-12" });
  if (root["type"] === "object") return root;
  throw new Error("the schema of the parameters must be one of an object");
}

/**
 * A schema that stands alone: what it refers to is put in its place. Where it refers to itself anything goes; the library
 * still checks the value.
 */
function inline(value: unknown, definitions: JsonObject, open: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => inline(item, definitions, open));
  if (!isObject(value)) return value;
  const { $ref, ...rest } = value;
  const members = Object.entries(rest).map(([key, member]): [string, unknown] => [
    key,
    literals.has(key) ? member : inline(member, definitions, open),
  ]);
  const own = Object.fromEntries(members);
  if (typeof $ref !== "string") return own;
  const [, name = ""] = /^#\/(?:\$defs|definitions)\/(.+)$/.exec($ref) ?? [];
  if (open.includes(name) || !Object.hasOwn(definitions, name)) return own;
  const target = inline(definitions[name], definitions, [...open, name]);
  return isObject(target) ? { ...target, ...own } : own;
}

/** Their values are data, not schemas. */
const literals = new Set(["const", "enum", "default", "examples"]);

const allTypes: readonly JsonType[] = ["string", "number", "boolean", "object", "array", "null"];

/** JSON types a value may have; all of them when the schema does not say. */
function findTypes(schema: unknown): readonly JsonType[] {
  if (!isObject(schema)) return allTypes;
  const { type, enum: choices, anyOf, oneOf } = schema;
  if (type !== undefined) {
    const named: readonly unknown[] = Array.isArray(type) ? type : [type];
    return named.filter((name): name is JsonType => name === "integer" || isJsonType(name));
  }
  if (Array.isArray(choices)) return [...new Set(choices.map(typeOf))];
  if ("const" in schema) return [typeOf(schema["const"])];
  const branches: unknown = anyOf ?? oneOf;
  return Array.isArray(branches) ? [...new Set(branches.flatMap(findTypes))] : allTypes;
}

function isJsonType(name: unknown): boolean {
  return allTypes.some((type) => type === name);
}

function typeOf(value: unknown): JsonType {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return allTypes.find((type) => type === typeof value) ?? "string";
}

/**
 * The value a text stands for. Where a text may also be a text, JSON of another of the types wins, except `null`: the wire
 * does not tell the text `5` from the number. What is none of the types stays a text, for the library to refuse.
 */
function toValue(text: string, types: readonly JsonType[]): unknown {
  const takesText = types.includes("string");
  if (types.length === 1 && takesText) return text;
  let value: unknown;
  try {
    value = JSON.parse(text.trim());
  } catch {
    return text;
  }
  const found = typeOf(value);
  if (found === "null") return takesText || !types.includes("null") ? text : null;
  if (found === "number" && !types.includes("number")) {
    return types.includes("integer") && Number.isSafeInteger(value) ? value : text;
  }
  return found !== "string" && types.includes(found) ? value : text;
}

const maxIssues = 10;
const maxIssueLength = 300;

function describeIssues(issues: readonly StandardSchemaV1.Issue[], values: JsonObject): string {
  const words = issues.slice(0, maxIssues).map(({ path = [], message }) => {
    const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
    const [name] = keys;
    if (name === undefined) return oneLine(message);
    if (keys.length === 1 && !Object.hasOwn(values, name)) return `"${name}" is missing`;
    return `"${keys.join(".")}": ${oneLine(message)}`;
  });
  const rest = issues.length - words.length;
  const more = rest > 0 ? `; and ${rest} more` : "";
  return `the arguments do not fit: ${[...new Set(words)].join("; ")}${more}`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim().slice(0, maxIssueLength);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : "";
}
