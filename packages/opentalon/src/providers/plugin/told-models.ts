import { toCount } from "../../base/count.ts";
import type { ModelInput } from "../../domain/model.ts";
import type { ReportedModel } from "../../plugins/provider-client.ts";
import type { CatalogModel } from "../catalog/model-catalog-data.ts";

/** What is known of a model besides what the configuration says. */
export type KnownModel = Omit<CatalogModel, "reasons">;

/** What a provider plugin told of its models, by their names, in its order. */
export type ToldModels = ReadonlyMap<string, KnownModel>;

const maxModels = 200;
const maxPrice = 1_000_000;
/** What people can type after `/model` and read in a list. */
const modelName = /^[\p{L}\p{N}\p{P}\p{S}]{1,200}$/u;

/** Makes what a plugin reported fit for use: names nobody could write are left out, numbers and lists are bounded. */
export function toToldModels(reported: readonly ReportedModel[]): ToldModels {
  const named = reported.filter(({ id }) => modelName.test(id));
  return new Map(named.slice(0, maxModels).map((model) => [model.id, toKnownModel(model)]));
}

function toKnownModel(model: ReportedModel): KnownModel {
  const { features, input, cachedInputCost, cacheWriteCost } = model;
  return {
    contextWindow: toCount(model.contextWindow),
    maxOutput: toCount(model.maxTokens),
    input: inputs.filter((each) => each === "text" || input.includes(each)),
    cost: {
      input: toPrice(model.inputCost),
      output: toPrice(model.outputCost),
      cachedInput: toPrice(cachedInputCost) || undefined,
      cacheWrite: toPrice(cacheWriteCost) || undefined,
    },
    nativeTools: features.length === 0 || features.includes("tools"),
  };
}

const inputs: readonly ModelInput[] = ["text", "image", "pdf", "audio"];

function toPrice(price: number): number {
  return price > 0 && price <= maxPrice ? price : 0;
}
