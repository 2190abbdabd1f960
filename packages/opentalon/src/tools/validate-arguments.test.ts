import { describe, expect, it } from "vitest";
import { createSilentLog } from "../base/create-log.ts";
import { createParameter, createTool } from "./testing/create-tool.ts";
import { createArgumentValidator } from "./validate-arguments.ts";

const { validate } = createArgumentValidator({ log: createSilentLog() });

const forecast = createTool({
  contextArguments: ["session_id"],
  parameters: [
    createParameter("city", { required: true }),
    createParameter("days", { type: "integer" }),
    createParameter("hourly", { type: "boolean" }),
    createParameter("unit", { schema: '{"type":"string","enum":["C","F"]}' }),
    createParameter("tags", { schema: '{"type":"array","items":{"type":"string","minLength":1}}' }),
    createParameter("more", { type: "object" }),
    createParameter("session_id", { required: true }),
  ],
});

const problemsOf = async (values: Record<string, unknown>, tool = forecast) => {
  const verdict = await validate(tool, values);
  return verdict.kind === "invalid" ? verdict.problems : [];
};

describe("validating arguments", () => {
  it("lets good ones pass", async () => {
    const values = { city: "Bern", days: 3, hourly: false, unit: "C", tags: ["a"], more: { a: 1 } };
    expect(await validate(forecast, values)).toEqual({ kind: "valid", arguments: values });
  });

  it("names unknown ones with the allowed ones, and missing ones", async () => {
    expect(await problemsOf({ town: "Bern", when: 1 })).toEqual([
      'unknown arguments "town", "when"; allowed: "city", "days", "hourly", "unit", "tags", "more"',
      'missing required argument "city"',
    ]);
    expect(await problemsOf({ x: 1 }, createTool())).toEqual([
      'unknown argument "x"; this tool takes no arguments',
    ]);
    expect(await problemsOf({ city: null })).toEqual(['missing required argument "city"']);
  });

  it("explains wrong types and values", async () => {
    expect(await problemsOf({ city: "x", days: "soon", hourly: "maybe", more: [1] })).toEqual([
      '"days" must be an integer, got "soon"',
      '"hourly" must be a boolean, got "maybe"',
      '"more" must be an object, got [1]',
    ]);
    expect(await problemsOf({ city: "x", unit: "K", tags: ["", { a: 1 }] })).toEqual([
      '"unit" must be equal to one of the allowed values: ["C","F"], got "K"',
      '"tags" at 0 must NOT have fewer than 1 characters, got ["",{"a":1}]',
    ]);
    expect(await problemsOf({ city: "x", days: 2.5 })).toEqual([
      '"days" must be an integer, got 2.5',
    ]);
  });

  it("is lenient where models are harmlessly sloppy", async () => {
    expect(
      await validate(forecast, {
        city: 8000,
        days: " 3.0 ",
        hourly: "true",
        tags: '["a"]',
        more: '{"a":1}',
        unit: null,
      }),
    ).toEqual({
      kind: "valid",
      arguments: { city: 8000, days: "3", hourly: "true", tags: '["a"]', more: '{"a":1}' },
    });
    const count = createTool({
      parameters: [createParameter("n", { schema: '{"type":"integer","minimum":1}' })],
    });
    expect(await validate(count, { n: "3" })).toMatchObject({ arguments: { n: "3" } });
    expect(await problemsOf({ n: "0" }, count)).toEqual(['"n" must be >= 1, got "0"']);
  });

  it("takes out what the host fills, and asks the model for none of it", async () => {
    expect(await validate(forecast, { city: "x", session_id: "forged" })).toEqual({
      kind: "valid",
      arguments: { city: "x" },
    });
  });

  it("is not hung by a pattern, a reference or a property of a plugin's schema", async () => {
    const schema = JSON.stringify({
      type: "object",
      $async: true,
      $id: "http://127.0.0.1:1/x",
      $schema: "http://127.0.0.1:1/meta",
      properties: {
        pattern: { type: "string", pattern: "^(a+)+$", format: "email" },
        __proto__: { type: "string" },
      },
      patternProperties: { "^(x+)+$": { type: "string" } },
      additionalProperties: false,
    });
    const tool = createTool({ parameters: [createParameter("o", { schema })] });
    expect(
      await problemsOf({ o: { pattern: `${"a".repeat(50)}!`, ["x".repeat(50)]: "y" } }, tool),
    ).toEqual([]);
    expect(await problemsOf({ o: { pattern: [] } }, tool)).toHaveLength(1);
  });

  it("checks the type alone, with a warning, when a schema cannot be compiled", async () => {
    const warnings: unknown[] = [];
    const lenient = createArgumentValidator({
      log: { warn: (about: unknown) => void warnings.push(about) },
    });
    const tool = createTool({
      parameters: [createParameter("n", { type: "integer", schema: '{"minimum":"low"}' })],
    });
    expect(await lenient.validate(tool, { n: 1 })).toMatchObject({ kind: "valid" });
    expect(await lenient.validate(tool, { n: "x" })).toMatchObject({ kind: "invalid" });
    expect(warnings).toContainEqual({ tool: "weather__forecast", parameter: "n" });
  });

  it("keeps its memory and its answers bounded", async () => {
    for (let index = 0; index < 300; index += 1) {
      const tool = createTool({
        parameters: [createParameter("n", { schema: `{"type":"integer","minimum":${index}}` })],
      });
      expect(await problemsOf({ n: index - 1 }, tool)).toHaveLength(1);
    }
    const many = Object.fromEntries(
      Array.from({ length: 100 }, (_, index) => [`a${index}`, "x".repeat(500)]),
    );
    const [problem] = await problemsOf({ city: "x", ...many });
    expect(problem?.length).toBeLessThan(1_000);
    const [long] = await problemsOf({ city: "x", days: "y".repeat(5_000) });
    expect(long?.length).toBeLessThan(200);
  });
});
