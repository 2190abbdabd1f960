/** A tool's input schema as parameters of an action, and the arguments of a call back as that schema wants them. */
import type { ParameterDefinition, ParameterType } from "@opentalon/plugin-sdk";
import type { JsonSchema } from "./inline-references.ts";
import { inlineReferences, isObject } from "./inline-references.ts";

export interface ToolParameters {
  readonly definitions: Readonly<Record<string, ParameterDefinition>>;
  /**
   * Arguments of the action as the tool takes them.
   * @throws Error that names the argument, for the model to read.
   */
  readonly toArguments: (values: Readonly<Record<string, unknown>>) => Record<string, unknown>;
}

const maxParameters = 100;
const maxSchemaBytes = 16_384;
const maxDescriptionLength = 2_000;
const maxNameLength = 100;

/** `taken`: names the host fills by itself, which a tool's own parameter must not be mistaken for. */
export function toParameters(inputSchema: JsonSchema, taken: readonly string[]): ToolParameters {
  const properties = isObject(inputSchema["properties"]) ? inputSchema["properties"] : {};
  const required = new Set(
    Array.isArray(inputSchema["required"]) ? (inputSchema["required"] as readonly unknown[]) : [],
  );
  const parameters = Object.entries(properties)
    .filter(([name]) => name !== "" && name !== "__proto__" && name.length <= maxNameLength)
    .slice(0, maxParameters)
    .map(([name, property]) => ({
      name,
      exposedAs: taken.includes(name) ? `arg_${name}` : name,
      isRequired: required.has(name),
      ...readProperty(property, inputSchema),
    }));
  return {
    definitions: Object.fromEntries(
      parameters.map(({ exposedAs, schema, types, isRequired }) => [
        exposedAs,
        {
          description: toText(schema["description"]).slice(0, maxDescriptionLength).toWellFormed(),
          type: toParameterType(types),
          required: isRequired,
          ...(Object.keys(schema).length > 0 && sizeOf(schema) <= maxSchemaBytes ? { schema } : {}),
        },
      ]),
    ),
    toArguments: (values) =>
      Object.fromEntries(
        parameters.flatMap(({ name, exposedAs, schema, types }) => {
          const value = Object.hasOwn(values, exposedAs) ? values[exposedAs] : undefined;
          if (value === undefined) return [];
          // What has one type was parsed as that already.
          return [[name, typeof value === "string" ? toMixed(value, types, schema) : value]];
        }),
      ),
  };
}

type JsonType = ParameterType | "null";

function readProperty(
  property: unknown,
  root: JsonSchema,
): { readonly schema: JsonSchema; readonly types: readonly JsonType[] } {
  const schema = inlineReferences(property, root);
  return { schema, types: findTypes(schema) };
}

/** The types a value may have; all when the schema does not say. */
function findTypes(schema: JsonSchema): readonly JsonType[] {
  const { type, enum: words, const: word, anyOf, oneOf } = schema;
  if (typeof type === "string") return jsonTypes.filter((known) => known === type);
  if (Array.isArray(type)) return jsonTypes.filter((known) => (type as unknown[]).includes(known));
  if (Array.isArray(words)) return typesOf(words);
  if (word !== undefined) return typesOf([word]);
  const branches = Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : undefined;
  if (branches === undefined) return jsonTypes;
  const found = branches.flatMap((branch) => (isObject(branch) ? findTypes(branch) : []));
  return jsonTypes.filter((known) => found.includes(known));
}

const jsonTypes: readonly JsonType[] = [
  "string",
  "number",
  "integer",
  "boolean",
  "object",
  "array",
  "null",
];

function typesOf(values: readonly unknown[]): readonly JsonType[] {
  const found = new Set(values.map(typeOf));
  return jsonTypes.filter((type) => found.has(type));
}

function typeOf(value: unknown): JsonType {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return "number";
  return typeof value === "boolean" || typeof value === "object"
    ? (typeof value as JsonType)
    : "string";
}

/** The one type there is beside null; a text where there are several, which `toMixed` makes a value of. */
function toParameterType(types: readonly JsonType[]): ParameterType {
  const [only, ...others] = types.filter((type): type is ParameterType => type !== "null");
  return only === undefined || others.length > 0 ? "string" : only;
}

/** What a text stands for where a value may have several types: JSON of one of the other types, or itself. */
function toMixed(text: string, types: readonly JsonType[], schema: JsonSchema): unknown {
  const others: readonly JsonType[] = types.filter((type) => type !== "string");
  if (others.length === 0) return text;
  const { enum: words } = schema;
  if (Array.isArray(words) && words.includes(text)) return text;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return text;
  }
  const type = typeOf(parsed);
  const fits =
    others.includes(type) ||
    (type === "number" && others.includes("integer") && Number.isSafeInteger(parsed));
  return fits ? parsed : text;
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function sizeOf(schema: JsonSchema): number {
  return Buffer.byteLength(JSON.stringify(schema));
}
