import { describe, expect, it } from "vitest";
import type { Model } from "../domain/model.ts";
import { toQueryFeatures } from "./learning/query-features.ts";
import { createRouter, type RouteRequest, type RouterOptions } from "./router.ts";

const model = (name: string): Model => {
  const [provider = "", id = ""] = name.split("/");
  return {
    name,
    provider,
    id,
    nativeTools: true,
    input: ["text"],
    contextWindow: 0,
    maxTokens: 0,
    cost: { input: 0, output: 0 },
  };
};
const models = [model("a/small"), model("a/big"), model("b/other")];
const route = (more: Partial<RouterOptions> = {}, pinnedModel = "") =>
  createRouter({ models: () => models, primary: undefined, fallbacks: [], aliases: {}, ...more })
    .rank({ pinnedModel })
    .models.map(({ name }) => name);

describe("router", () => {
  it("takes the first known model when nothing is said", () =>
    expect(route()).toEqual(["a/small"]));

  it("puts the pin before the primary and the fallbacks, each once", () =>
    expect(route({ primary: "a/big", fallbacks: ["a/small", "b/other"] }, "b/other")).toEqual([
      "b/other",
      "a/big",
      "a/small",
    ]));

  it("falls back to the configured order when the pinned model is gone", () =>
    expect(route({ primary: "a/big" }, "gone/model")).toEqual(["a/big"]));

  it("finds a model by provider, by id and by alias", () => {
    expect(route({ primary: "b" })).toEqual(["b/other"]);
    expect(route({ primary: "big" })).toEqual(["a/big"]);
    expect(route({ primary: "best", aliases: { best: "b/other" } })).toEqual(["b/other"]);
  });
});

describe("a choice of models", () => {
  const weights = { "a/small": 90, "a/big": 10, "b/other": 50 };
  const features = toQueryFeatures({ text: "hello", toolCount: 0, depth: 1 });
  const rank = (more: Partial<RouterOptions>, request: Partial<RouteRequest> = {}) => {
    const options = { models: () => models, primary: undefined, fallbacks: [], aliases: {} };
    const router = createRouter({ ...options, weights, ...more });
    const { models: ranked, cause } = router.rank({ pinnedModel: "", features, ...request });
    return { cause, names: ranked.map(({ name }) => name) };
  };

  it("begins with the largest weight, and the others step in behind primary and fallbacks", () => {
    expect(rank({})).toEqual({ cause: "weight", names: ["a/small", "b/other", "a/big"] });
    expect(rank({ primary: "a/big" }).names).toEqual(["a/small", "a/big", "b/other"]);
  });

  it("goes to the next smaller weight when an answer was rejected, and back to that only at last", () => {
    expect(rank({}, { tried: ["a/small"] })).toEqual({
      cause: "escalation",
      names: ["b/other", "a/big", "a/small"],
    });
    expect(rank({}, { tried: ["a/small", "b/other"] }).names[0]).toBe("a/big");
    expect(rank({}, { tried: ["a/small", "b/other", "a/big"] }).names[0]).toBe("a/big");
  });

  it("goes along the configured order where no model has a weight", () => {
    const order = { weights: {}, primary: "a/small", fallbacks: ["b/other"] };
    expect(rank(order, { tried: ["a/small"] }).names).toEqual(["b/other", "a/small"]);
  });

  it("asks what was learnt, for the first model and for the next one", () => {
    const affinity: RouterOptions["affinity"] = {
      decide: () => ({ model: "a/big", task: "chat", confidence: 0.9, reason: "learnt" }),
      next: (_features, tried) => (tried.includes("a/big") ? undefined : "a/big"),
    };
    expect(rank({ affinity })).toMatchObject({
      cause: "learnt",
      names: ["a/big", "a/small", "b/other"],
    });
    expect(rank({ affinity }, { tried: ["a/small"] }).names[0]).toBe("a/big");
    expect(rank({ affinity }, { tried: ["a/small", "a/big"] }).names[0]).toBe("b/other");
  });

  it("leaves it to the person first, then to the pin of the task", () => {
    const pins = { chat: "b/other" };
    expect(rank({ pins }).cause).toBe("task-pin");
    expect(rank({ pins }, { pinnedModel: "a/big" })).toMatchObject({ cause: "pin" });
    const wished = rank({ pins }, { pinnedModel: "a/big", override: "small" });
    expect(wished).toMatchObject({ cause: "override", names: ["a/small", "b/other", "a/big"] });
  });

  it("escalates from a pinned task too, to a stronger model before a weaker one", () => {
    const pins = { chat: "b/other" };
    expect(rank({ pins }, { tried: ["b/other"] }).names[0]).toBe("a/big");
    expect(rank({ pins }, { tried: ["a/big"] }).names[0]).toBe("b/other");
  });

  it("says whose answers were rejected", () => {
    const reasonOf = (...tried: readonly string[]) => {
      const options = { models: () => models, primary: undefined, fallbacks: [], aliases: {} };
      return createRouter({ ...options, weights }).rank({ pinnedModel: "", features, tried })
        .reason;
    };
    expect(reasonOf("a/small")).toBe("the answer of a/small was rejected");
    expect(reasonOf("a/small", "b/other", "gone/model")).toBe(
      "the answers of a/small, b/other and gone/model were rejected",
    );
  });
});
