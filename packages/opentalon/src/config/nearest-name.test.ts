import { expect, test } from "vitest";
import { findNearestName } from "./nearest-name.ts";

test.each([
  ["modles", "models"],
  ["enable", "enabled"],
  ["base-url", "base_url"],
  ["apikey", "api_key"],
  ["max_concurent_sessions", "max_concurrent_sessions"],
  ["Plugin", "plugin"],
])("%s is taken for %s", (name, meant) => {
  const candidates = [
    "models",
    "enabled",
    "base_url",
    "api_key",
    "max_concurrent_sessions",
    "plugin",
  ];
  expect(findNearestName(name, candidates)).toBe(meant);
});

test("a word that is like no other has no nearest name", () => {
  expect(findNearestName("elephant", ["models", "enabled", "id"])).toBeUndefined();
  expect(findNearestName("x", ["id", "ref"])).toBeUndefined();
});
