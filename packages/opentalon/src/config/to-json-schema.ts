import * as z from "zod/mini";
import type { Key, Tree } from "./key.ts";

/** JSON Schema of the configuration file, for editors. */
export function toJsonSchema(root: Key, withoutEffect: readonly string[]): Tree {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "OpenTalon configuration",
    ...toSchema(root, "", withoutEffect),
  };
}

function toSchema(key: Key, pattern: string, withoutEffect: readonly string[]): Tree {
  const { about, written } = key;
  const hasNoEffect = withoutEffect.includes(pattern);
  const description = `${hasNoEffect ? "Accepted, not yet effective. " : ""}${about}`.trim();
  return {
    ...(description === "" ? {} : { description }),
    ...(written === undefined ? {} : { default: written }),
    ...toStructure(key, pattern, withoutEffect),
  };
}

function toStructure(key: Key, pattern: string, withoutEffect: readonly string[]): Tree {
  const { shape } = key;
  const inner = (name: string, value: Key): Tree =>
    toSchema(value, pattern === "" ? name : `${pattern}.${name}`, withoutEffect);
  switch (shape.kind) {
    case "scalar":
      return toScalar(key);
    case "opaque":
      return { type: "object" };
    case "list": {
      const items = toSchema(shape.item, `${pattern}[]`, withoutEffect);
      const list = { type: "array", items };
      return shape.orText ? { anyOf: [{ type: "string" }, list] } : list;
    }
    case "named": {
      const reserved = Object.entries(shape.reserved).map(([name, value]) => [
        name,
        inner(name, value),
      ]);
      return {
        type: "object",
        ...(reserved.length > 0 ? { properties: Object.fromEntries(reserved) } : {}),
        ...(shape.knownNames === undefined ? {} : { propertyNames: { enum: shape.knownNames } }),
        additionalProperties: inner("*", shape.value),
      };
    }
    case "section": {
      const properties: Tree = {};
      for (const [name, value] of Object.entries(shape.keys)) {
        if (value.hidden) continue;
        properties[name] = inner(name, value);
        for (const former of value.formerly) {
          properties[former] = {
            ...inner(name, value),
            deprecated: true,
            description: `Older spelling of \`${name}\`.`,
          };
        }
      }
      const map = { type: "object", properties, additionalProperties: false };
      return shape.textAs === undefined ? map : { anyOf: [{ type: "string" }, map] };
    }
  }
}

function toScalar(key: Key): Tree {
  const { $schema, ...rest } = z.toJSONSchema(key.schema(), {
    io: "input",
    unrepresentable: "any",
  }) as Tree;
  if (key.type === "duration")
    return { type: ["string", "integer"], examples: ["500ms", "30s", "5m"] };
  if (rest["type"] === "integer") delete rest["maximum"];
  // Where a variable may stand, the text cannot be checked before it is known.
  if (key.expands !== "none" && rest["pattern"] !== undefined) delete rest["pattern"];
  // A number or a switch is taken as the text it is written as.
  if (key.type === "text" && !key.secret) return { ...rest, type: ["string", "number", "boolean"] };
  if (rest["enum"] === undefined || key.expands === "none") return rest;
  return { anyOf: [rest, { type: "string", pattern: "\\$\\{" }] };
}
