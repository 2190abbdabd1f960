import * as z from "zod";
import { describe, expect, test } from "vitest";
import { withSchemasRead } from "./define-tool.ts";
import type { ObjectSchema } from "./object-schema.ts";
import { isObjectSchema, readObjectSchema } from "./object-schema.ts";

const fragmentsOf = (schema: ObjectSchema): Record<string, unknown> =>
  Object.fromEntries(
    readObjectSchema(schema).parameters.map(({ name, schema: text }) => [name, JSON.parse(text)]),
  );

describe("parameters of a schema", () => {
  test("are declared with their JSON Schema, as the host is told them", () => {
    const schema = z.object({
      count: z.int().min(1).describe("How many"),
      mode: z.enum(["a", "b"]).default("a"),
      when: z.string().transform((text) => new Date(text)),
      tags: z.array(z.string()).optional(),
    });
    expect(readObjectSchema(schema).parameters).toMatchObject([
      { name: "count", description: "How many", type: "integer", required: true },
      { name: "mode", type: "string", required: false },
      { name: "when", type: "string", required: true },
      { name: "tags", type: "array", required: false },
    ]);
    expect(fragmentsOf(schema)).toMatchObject({
      count: { type: "integer", minimum: 1 },
      mode: { enum: ["a", "b"], default: "a" },
      when: { type: "string" },
      tags: { type: "array", items: { type: "string" } },
    });
  });

  test("refer to nothing outside of themselves, also when they contain themselves", () => {
    const node = z.object({
      name: z.string(),
      get children() {
        return z.array(node);
      },
    });
    const shared = z.object({ a: z.number() }).meta({ id: "Shared" });
    const text = JSON.stringify(
      fragmentsOf(z.object({ tree: node, other: node, first: shared, second: shared })),
    );
    expect(text).not.toContain("$ref");
    expect(text).toContain("children");
    expect(fragmentsOf(z.object({ first: shared, second: shared }))["second"]).toMatchObject({
      properties: { a: { type: "number" } },
    });
  });

  test("must be an object's, of a library that gives JSON Schema", () => {
    expect(() => readObjectSchema(z.string())).toThrow("must be one of an object");
    const bare = { "~standard": { version: 1, vendor: "valibot", validate: () => ({ value: 1 }) } };
    expect(isObjectSchema(bare)).toBe(true);
    expect(() => readObjectSchema(bare as unknown as ObjectSchema)).toThrow(
      "wrap it by toStandardJsonSchema",
    );
    const parameters = z.object({ at: z.date() });
    const definition = {
      name: "a",
      description: "",
      actions: { b: { description: "", parameters, run: () => "" } },
    };
    expect(() => withSchemasRead(definition)).toThrow(
      'the action "b" has parameters that cannot be used: Date cannot be represented',
    );
  });
});

describe("the texts of a call", () => {
  const parse = (schema: ObjectSchema, args: Record<string, string>): Promise<unknown> =>
    readObjectSchema(schema).parse(args);

  test.each<[string, z.ZodType, string, unknown]>([
    ["a text stays a text", z.string(), "5", "5"],
    ["a number is read", z.number(), " 2.5 ", 2.5],
    ["a whole number is read", z.int(), "7", 7],
    ["a truth value is read", z.boolean(), "false", false],
    ["a list is read", z.array(z.number()), "[1,2]", [1, 2]],
    ["an object is read", z.object({ a: z.string() }), '{"a":"5"}', { a: "5" }],
    ["a number wins over a text", z.union([z.string(), z.number()]), "5", 5],
    [
      "a text that is no number stays one",
      z.union([z.number(), z.literal("auto")]),
      "auto",
      "auto",
    ],
    ["null is the text null where texts go", z.string().nullable(), "null", "null"],
    ["null is nothing elsewhere", z.number().nullable(), "null", null],
    ["choices of several types are told apart", z.literal([1, "two"]), "1", 1],
    ["anything is taken as it is written", z.unknown(), '{"a":[1]}', { a: [1] }],
    ["a quoted text is not unpacked", z.union([z.string(), z.number()]), '"x"', '"x"'],
  ])("%s", async (_title, value, text, expected) => {
    expect(await parse(z.object({ value }), { value: text, undeclared: "1" })).toEqual({
      value: expected,
    });
  });

  test("that are absent get defaults, or null where it is allowed and something has to be there", async () => {
    const schema = z.object({
      a: z.string().default("x"),
      b: z.int().nullable(),
      c: z.int().optional(),
    });
    expect(await parse(schema, {})).toEqual({ a: "x", b: null });
  });

  test("that do not fit are named, each with what is wrong", async () => {
    const schema = z.object({
      sides: z.int().min(2),
      label: z.string(),
      place: z.object({ street: z.string() }),
      big: z.int(),
    });
    await expect(
      parse(schema, { sides: "one", place: '{"street":1}', big: "9007199254740993" }),
    ).rejects.toThrow(
      /^the arguments do not fit: "sides": [^;]+; "label" is missing; "place\.street": [^;]+; "big": [^;]+$/,
    );
  });

  test("that are wrong in many ways make a short error", async () => {
    const schema = z.object({ list: z.array(z.number()) });
    const list = JSON.stringify(Array.from({ length: 1_000 }, () => "x"));
    const error: unknown = await parse(schema, { list }).catch((reason: unknown) => reason);
    expect(String(error)).toMatch(/; and 990 more$/);
    expect(String(error).length).toBeLessThan(4_000);
  });

  test("may be checked as a whole", async () => {
    const schema = z
      .object({ from: z.int(), to: z.int() })
      .refine(({ from, to }) => from < to, { message: "`from` has to\n be before `to`" });
    await expect(parse(schema, { from: "2", to: "1" })).rejects.toThrow(
      "the arguments do not fit: `from` has to be before `to`",
    );
  });
});
