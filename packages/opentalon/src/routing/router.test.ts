import { describe, expect, it } from "vitest";
import type { Model } from "../domain/model.ts";
import { createRouter, type RouterOptions } from "./router.ts";

const model = (name: string): Model => {
  const [provider = "", id = ""] = name.split("/");
  return {
    name,
    provider,
    id,
    nativeTools: true,
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
