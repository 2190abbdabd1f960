/** A JSON Schema whose references are replaced by what they point to, since a host takes schemas one by one. */

export type JsonSchema = Readonly<Record<string, unknown>>;

const maxDepth = 16;
const maxNodes = 2_000;

/**
 * Replaces `{"$ref": "#/…"}` by the part of `root` it names. What points elsewhere, into itself or too deep becomes the
 * schema that allows anything.
 */
export function inlineReferences(schema: unknown, root: JsonSchema): JsonSchema {
  let nodes = 0;
  const inline = (value: unknown, depth: number, open: readonly string[]): unknown => {
    nodes += 1;
    if (depth > maxDepth || nodes > maxNodes) return {};
    if (Array.isArray(value)) return value.map((item) => inline(item, depth + 1, open));
    if (!isObject(value)) return value;
    const { $ref: reference, ...rest } = value;
    if (reference === undefined) return inlineMembers(value, depth, open);
    const siblings = inlineMembers(rest, depth, open);
    if (typeof reference !== "string" || open.includes(reference)) return siblings;
    const inlined = inline(findTarget(root, reference), depth + 1, [...open, reference]);
    return isObject(inlined) ? { ...inlined, ...siblings } : siblings;
  };
  const inlineMembers = (
    value: Readonly<Record<string, unknown>>,
    depth: number,
    open: readonly string[],
  ): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => !definitions.has(key))
        .map(([key, member]) => [
          key,
          literals.has(key) ? member : inline(member, depth + 1, open),
        ]),
    );
  const inlined = inline(schema, 0, []);
  return isObject(inlined) ? inlined : {};
}

const definitions = new Set(["$defs", "definitions", "$schema", "$id", "$anchor", "$comment"]);
/** Their values are data, not schemas. */
const literals = new Set(["const", "enum", "default", "examples"]);

function findTarget(root: JsonSchema, reference: string): unknown {
  if (reference === "#") return root;
  if (!reference.startsWith("#/")) return undefined;
  let value: unknown = root;
  for (const part of reference.slice(2).split("/")) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return value;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
