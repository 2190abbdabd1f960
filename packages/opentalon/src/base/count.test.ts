import { expect, it } from "vitest";
import { toCount } from "./count.ts";

it.each([
  [17, 17],
  [1.9, 1],
  [1e30, 1_000_000_000],
  [Number.POSITIVE_INFINITY, 1_000_000_000],
  [-1, 0],
  [Number.NaN, 0],
  ["17", 0],
  [undefined, 0],
])("the count %s is taken for %i", (told, count) => {
  expect(toCount(told)).toBe(count);
});
