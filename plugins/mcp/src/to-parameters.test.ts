import { expect, test } from "vitest";
import { inlineReferences, type JsonSchema } from "./inline-references.ts";
import { toParameters } from "./to-parameters.ts";

const object = (properties: Readonly<Record<string, unknown>>) => ({ type: "object", properties });

test.each([
  [{ type: ["string", "null"] }, "null", null],
  [{ type: ["integer", "string"] }, "7", 7],
  [{ type: ["integer", "string"] }, "7.5", "7.5"],
  [{ oneOf: [{ type: "object" }, { type: "array" }] }, "[1]", [1]],
  [{ enum: ["on", "off"] }, "on", "on"],
  [{ const: true }, "true", true],
  [{}, '{"a":1}', { a: 1 }],
  [{}, "not json", "not json"],
])("where %j is wanted, %j means %j", (schema, text, expected) => {
  const { toArguments } = toParameters(object({ it: schema }), []);
  expect(toArguments({ it: text })).toEqual({ it: expected });
});

test("a name the host fills itself stays free for the tool", () => {
  const { definitions, toArguments } = toParameters(object({ session_id: { type: "string" } }), [
    "session_id",
  ]);
  expect(Object.keys(definitions)).toEqual(["arg_session_id"]);
  expect(toArguments({ arg_session_id: "mine", session_id: "the host's" })).toEqual({
    session_id: "mine",
  });
});

test("a schema that is hostile costs little and harms nothing", () => {
  const wide = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`p${index}`, {}]));
  expect(Object.keys(toParameters(object(wide), []).definitions)).toHaveLength(100);
  const names = toParameters(
    JSON.parse('{"properties":{"__proto__":{"type":"string"},"":{}}}') as JsonSchema,
    [],
  );
  expect(Object.keys(names.definitions)).toEqual([]);
  const bomb: Record<string, unknown> = { $defs: {} };
  const definitions = bomb["$defs"] as Record<string, unknown>;
  for (let level = 0; level < 40; level += 1) {
    const next = { $ref: `#/$defs/d${level + 1}` };
    definitions[`d${level}`] = { type: "object", properties: { a: next, b: next, c: next } };
  }
  definitions["d40"] = {};
  const inlined = inlineReferences({ $ref: "#/$defs/d0" }, bomb);
  expect(JSON.stringify(inlined).length).toBeLessThan(200_000);
  for (const properties of [null, [], "x", { it: null }, { it: [] }, { it: "x" }])
    expect(() => toParameters({ properties }, [])).not.toThrow();
});
