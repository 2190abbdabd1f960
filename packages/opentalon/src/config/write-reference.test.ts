import { readFile } from "node:fs/promises";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { configKey, keysWithoutEffect, protectingKeys } from "./config-schema.ts";
import type { Key } from "./key.ts";
import { createReferenceFiles, findStaleFiles } from "./write-reference.ts";

function listPatterns({ shape }: Key, pattern: string): string[] {
  const inner = (name: string, key: Key): string[] =>
    listPatterns(key, pattern === "" ? name : `${pattern}.${name}`);
  switch (shape.kind) {
    case "section":
      return [pattern, ...Object.entries(shape.keys).flatMap(([name, key]) => inner(name, key))];
    case "named":
      return [
        pattern,
        ...inner("*", shape.value),
        ...Object.entries(shape.reserved).flatMap(([name, key]) => inner(name, key)),
      ];
    case "list":
      return [pattern, ...listPatterns(shape.item, `${pattern}[]`)];
    default:
      return [pattern];
  }
}

test("the reference page and the JSON Schema are as write-reference.ts makes them", async () => {
  expect((await findStaleFiles()).map(({ path }) => path)).toEqual([]);
});

test("keys that are said to have no effect exist", () => {
  const patterns = listPatterns(configKey, "");
  expect(keysWithoutEffect.filter((key) => !patterns.includes(key))).toEqual([]);
  expect(protectingKeys.filter((key) => !keysWithoutEffect.includes(key))).toEqual([]);
});

test("every key is explained", () => {
  const page = createReferenceFiles()[0]?.text ?? "";
  const rows = page
    .split("\n")
    .filter((line) => line.startsWith("| `") && line.split(" | ").length > 4);
  const unexplained = rows.filter((line) => (line.split(" | ")[3] ?? "").trim() === "");
  expect(unexplained).toEqual([]);
});

test("the JSON Schema accepts the example and refuses mistakes", async () => {
  const schema = JSON.parse(createReferenceFiles()[1]?.text ?? "") as object;
  const validate = new Ajv2020({ strict: false, allErrors: true }).compile(schema);
  const example = parse(
    await readFile(new URL("../../../../config.example.yaml", import.meta.url), "utf8"),
  ) as unknown;
  expect(validate(example), JSON.stringify(validate.errors)).toBe(true);
  expect(
    validate({
      plugins: { a: { plugin: ["node", "x.js"], path: "./x" } },
      lua: { plugins: ["a", { name: "b" }] },
    }),
  ).toBe(true);
  expect(validate({ modles: {} })).toBe(false);
  expect(validate({ log: { level: "loud" } })).toBe(false);
  expect(
    validate({ models: { providers: { a: { models: [{ id: "x", context_window: "big" }] } } } }),
  ).toBe(false);
});
