import { expect, it } from "vitest";
import { toUsageCost } from "./pricing.ts";

const usage = { inputTokens: 2_000_000, outputTokens: 500_000 };

it("prices tokens per million", () => {
  const cost = toUsageCost(usage, { cost: { input: 3, output: 15 } });
  expect(cost).toEqual({ inputCost: 6, outputCost: 7.5 });
});

it("prices input that was read from the cache, or written into it, apart", () => {
  const cost = { input: 3, output: 15, cachedInput: 0.3, cacheWrite: 3.75 };
  const cached = { ...usage, cachedInputTokens: 1_000_000, cacheWriteTokens: 400_000 };
  expect(toUsageCost(cached, { cost }).inputCost).toBeCloseTo(0.6 * 3 + 0.3 + 0.4 * 3.75);
});

it("prices cached input like any other where no price of its own is known, and takes a price of 0", () => {
  const cached = { ...usage, cachedInputTokens: 1_000_000, cacheWriteTokens: 400_000 };
  expect(toUsageCost(cached, { cost: { input: 3, output: 15 } }).inputCost).toBe(6);
  expect(toUsageCost(cached, { cost: { input: 3, output: 15, cachedInput: 0 } }).inputCost).toBe(3);
});

it("prices what was thought as the output it is part of", () => {
  const cost = { input: 3, output: 15 };
  expect(toUsageCost({ ...usage, reasoningTokens: 400_000 }, { cost }).outputCost).toBe(7.5);
});

it("costs nothing where no price is known, and never less", () => {
  expect(toUsageCost(usage, { cost: { input: 0, output: 0 } })).toEqual({
    inputCost: 0,
    outputCost: 0,
  });
  const odd = { inputTokens: 10, outputTokens: 0, cachedInputTokens: 20 };
  expect(toUsageCost(odd, { cost: { input: 3, output: 0, cachedInput: 0 } }).inputCost).toBe(0);
});
