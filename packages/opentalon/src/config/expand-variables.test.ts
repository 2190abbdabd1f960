import { expect, test } from "vitest";
import { expandVariables } from "./expand-variables.ts";

const environment = { HOST: "example.org", EMPTY: "", NESTED: "${HOST}", "odd name": "odd" };

test("a variable is replaced by its value, once", () => {
  expect(expandVariables("https://${HOST}/${NESTED}", "braces", environment)).toEqual({
    text: "https://example.org/${HOST}",
    used: ["HOST", "NESTED"],
    unset: [],
  });
});

test("a variable that is not set stays as it is written", () => {
  expect(expandVariables("a ${MISSING} b", "braces", environment)).toEqual({
    text: "a ${MISSING} b",
    used: [],
    unset: ["MISSING"],
  });
});

test("an empty variable is set", () => {
  expect(expandVariables("[${EMPTY}]", "braces", environment).text).toBe("[]");
});

test("there are no defaults, no escapes, and no names without braces", () => {
  expect(expandVariables("${HOST:-x} $HOST $$ ${}", "braces", environment).text).toBe(
    "${HOST:-x} $HOST $$ ${}",
  );
  expect(expandVariables("${odd name}", "braces", environment).text).toBe("odd");
});

test("the shell's way knows names without braces and empties what is not set", () => {
  expect(expandVariables("$HOST ${HOST} $MISSING.", "shell", environment).text).toBe(
    "example.org example.org .",
  );
});

test("names of inherited properties are not variables", () => {
  expect(expandVariables("${constructor} ${__proto__}", "braces", environment).unset).toEqual([
    "constructor",
    "__proto__",
  ]);
});

test("nothing happens where variables are not expanded", () => {
  expect(expandVariables("${HOST}", "none", environment).text).toBe("${HOST}");
});
