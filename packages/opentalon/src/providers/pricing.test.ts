import { expect, it } from "vitest";
import { toUsageCost } from "./pricing.ts";

it("prices tokens per million", () => {
  const cost = toUsageCost(
    { inputTokens: 2_000_000, outputTokens: 500_000 },
    { cost: { input: 3, output: 15 } },
  );
  expect(cost).toEqual({ inputCost: 6, outputCost: 7.5 });
});

it("costs nothing where no price is known", () => {
  expect(
    toUsageCost({ inputTokens: 10, outputTokens: 10 }, { cost: { input: 0, output: 0 } }),
  ).toEqual({
    inputCost: 0,
    outputCost: 0,
  });
});
