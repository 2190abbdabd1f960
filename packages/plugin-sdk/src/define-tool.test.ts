import { expect, test } from "vitest";
import { checkToolDefinition, toParameters } from "./define-tool.ts";

const action = { description: "", parameters: {}, run: () => "" };

test("a parameter is complete, also when only its description was given", () => {
  expect(
    toParameters({
      text: "Some text",
      count: { type: "integer", description: "How many", required: false, schema: { minimum: 1 } },
    }),
  ).toEqual([
    { name: "text", description: "Some text", type: "string", required: true, schema: "" },
    {
      name: "count",
      description: "How many",
      type: "integer",
      required: false,
      schema: '{"minimum":1}',
    },
  ]);
});

test.each([
  ["p", {}, "has no actions"],
  ["has space", { a: action }, 'the action "a" cannot be called'],
  ["p", { "a.b": action }, 'the action "a.b" cannot be called'],
  ["p", { ["x".repeat(62)]: action }, "cannot be called"],
])("a plugin %j with actions no host takes is refused", (name, actions, problem) => {
  expect(() => checkToolDefinition({ name, description: "", actions })).toThrow(problem);
});

test("a plugin whose names fit is taken", () => {
  expect(() =>
    checkToolDefinition({ name: "hello-world", description: "", actions: { prepare_2: action } }),
  ).not.toThrow();
});
