import { expect, it } from "vitest";
import type { Model } from "../domain/model.ts";
import { toQueryFeatures } from "./learning/query-features.ts";
import { createRouter } from "./router.ts";

const toModel = (id: string): Model => ({
  name: `p/${id}`,
  provider: "p",
  id,
  nativeTools: true,
  contextWindow: 0,
  maxTokens: 0,
  input: ["text"],
  cost: { input: 0, output: 0 },
});
const models = ["small", "big", "other"].map(toModel);
const features = toQueryFeatures({ text: "hello", toolCount: 0, depth: 1 });
const router = createRouter({
  models: () => models,
  primary: undefined,
  fallbacks: [],
  aliases: { large: "p/big" },
  weights: { "p/small": 90, "p/other": 10 },
  preferred: "large",
});

it("the model of the command line answers where nobody chose another one", () => {
  const route = router.rank({ pinnedModel: "", features });
  expect(route).toMatchObject({ cause: "pin", reason: "you started OpenTalon with --model" });
  expect(route.models.map(({ name }) => name)).toEqual(["p/big", "p/small", "p/other"]);
});

it("what a person chose, for the conversation or the message, goes before it", () => {
  const { models: pinned } = router.rank({ pinnedModel: "p/small", features });
  expect(pinned[0]?.name).toBe("p/small");
  const { models: asked } = router.rank({ pinnedModel: "", override: "other", features });
  expect(asked[0]?.name).toBe("p/other");
});
