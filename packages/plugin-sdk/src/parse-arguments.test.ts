import { expect, test } from "vitest";
import type { ParameterType } from "./parameter.ts";
import { parseArguments } from "./parse-arguments.ts";

const toParameter = (type: ParameterType, required = true) => ({
  name: "a",
  description: "",
  type,
  required,
  schema: "",
});

test.each<[ParameterType, string, unknown]>([
  ["string", " 7 ", " 7 "],
  ["string", "", ""],
  ["number", "7.5", 7.5],
  ["number", " -1e3 ", -1000],
  ["integer", "7", 7],
  ["boolean", "true", true],
  ["boolean", "false", false],
  ["object", '{"b":[1]}', { b: [1] }],
  ["array", "[1,2]", [1, 2]],
])("a %s is read from %j", (type, text, value) => {
  expect(parseArguments([toParameter(type)], { a: text })).toEqual({ a: value });
});

test.each<[ParameterType, string, string]>([
  ["number", "seven", "must be a number"],
  ["number", "", "must be a number"],
  ["number", '"7"', "must be a number"],
  ["integer", "7.5", "must be a whole number"],
  ["integer", "1e400", "must be a whole number"],
  ["boolean", "yes", "must be true or false"],
  ["object", "[]", "must be a JSON object"],
  ["object", "null", "must be a JSON object"],
  ["array", "{}", "must be a JSON list"],
])("a %s is not read from %j", (type, text, problem) => {
  expect(() => parseArguments([toParameter(type)], { a: text })).toThrow(
    `the argument "a" ${problem}`,
  );
});

test("a missing argument is refused only when it is required", () => {
  expect(() => parseArguments([toParameter("string")], {})).toThrow('the argument "a" is missing');
  expect(parseArguments([toParameter("string", false)], { b: "extra" })).toEqual({});
  expect(() => parseArguments([{ ...toParameter("string"), name: "toString" }], {})).toThrow(
    '"toString" is missing',
  );
});
