import type { CatalogModel, CatalogVendor } from "./model-catalog-data.ts";
import { catalogData } from "./model-catalog-data.ts";
import type { ProviderApi } from "../provider-options.ts";

/** Where a model is asked. */
export interface CatalogQuery {
  /** Key under `models.providers`. */
  readonly provider: string;
  readonly api: ProviderApi;
  /** The API's usual address when absent. */
  readonly baseUrl?: string | undefined;
  readonly id: string;
}

/** A vendor, or a house that resells those of several under `vendor/model` or `vendor.model`. */
type Shop = CatalogVendor | "openrouter";

/** What is known of a model; `undefined` when its provider or its name is unknown. Opens no connection. */
export function findCatalogModel({ id, ...place }: CatalogQuery): CatalogModel | undefined {
  const shop = findShop(place);
  if (shop === undefined) return undefined;
  if (shop === "openrouter") return findResold(id);
  if (shop === "bedrock") return findOnBedrock(id);
  return findNamed(shop, id.replace(/^(models|publishers\/google\/models)\//, ""));
}

/** An address tells more than a name, and a name more than the language that is spoken. */
function findShop({ provider, api, baseUrl }: Omit<CatalogQuery, "id">): Shop | undefined {
  if (api === "demo" || api === "plugin") return undefined;
  const host = baseUrl !== undefined && URL.canParse(baseUrl) ? new URL(baseUrl).hostname : "";
  const byHost = shopByHost.find(([hosts]) => hosts.test(host))?.[1];
  const byName = Object.hasOwn(shopByName, provider) ? shopByName[provider] : undefined;
  return byHost ?? byName ?? (baseUrl === undefined ? shopByApi[api] : undefined);
}

const shopByHost: readonly (readonly [RegExp, Shop])[] = [
  [/^api\.anthropic\.com$/, "anthropic"],
  [/^([\w-]+\.)?api\.openai\.com$/, "openai"],
  [/\.(openai|services\.ai|cognitiveservices)\.azure\.com$/, "openai"],
  [/^generativelanguage\.googleapis\.com$/, "google"],
  [/^([\w-]+-)?aiplatform\.(\w+\.rep\.)?googleapis\.com$/, "google"],
  [/^bedrock-runtime[\w.-]*\.amazonaws\.com$/, "bedrock"],
  [/^(api|codestral)\.mistral\.ai$/, "mistral"],
  [/^api\.groq\.com$/, "groq"],
  [/^api\.deepseek\.com$/, "deepseek"],
  [/^([\w-]+\.)?api\.x\.ai$/, "xai"],
  [/^openrouter\.ai$/, "openrouter"],
  [/^api\.together\.(xyz|ai)$/, "together"],
  [/^api\.cohere\.(ai|com)$/, "cohere"],
];

const shopByName: Readonly<Record<string, Shop>> = {
  anthropic: "anthropic",
  azure: "openai",
  bedrock: "bedrock",
  cohere: "cohere",
  deepseek: "deepseek",
  gemini: "google",
  google: "google",
  groq: "groq",
  mistral: "mistral",
  openai: "openai",
  openrouter: "openrouter",
  together: "together",
  vertex: "google",
  xai: "xai",
};

const shopByApi: Readonly<Record<Exclude<ProviderApi, "demo" | "plugin">, Shop>> = {
  "anthropic-messages": "anthropic",
  "bedrock-converse": "bedrock",
  "google-generative-ai": "google",
  "google-vertex": "google",
  "openai-completions": "openai",
  "openai-responses": "openai",
};

/** OpenRouter asks the prices of those whose models it passes on; models of no single seller are left out. */
const resold: Readonly<Record<string, CatalogVendor>> = {
  anthropic: "anthropic",
  cohere: "cohere",
  google: "google",
  mistralai: "mistral",
  openai: "openai",
  "x-ai": "xai",
};

function findResold(id: string): CatalogModel | undefined {
  const [, maker = "", name = "", variant] = /^([^/]+)\/([^:]+)(?::(.+))?$/.exec(id) ?? [];
  const vendor = Object.hasOwn(resold, maker) ? resold[maker] : undefined;
  const model = vendor === undefined ? undefined : findNamed(vendor, name);
  return model !== undefined && variant === "free"
    ? { ...model, cost: { input: 0, output: 0 } }
    : model;
}

/** Some names begin with the part of the world in which the model runs. */
function findOnBedrock(id: string): CatalogModel | undefined {
  const name = id.replace(/^(us|eu|apac|jp|au|ca|us-gov|global)\./, "");
  const claude = /^anthropic\.(.+)$/.exec(name)?.[1];
  return claude === undefined ? findNamed("bedrock", name) : findNamed("anthropic", claude);
}

/** A date, a version or the word for the newest of a model, as they stand behind its name. */
const snapshot =
  /^(-(latest|preview|exp|beta|0|\d{2}-\d{2}|\d{2}-\d{4}|\d{4}-\d{2}-\d{2}|\d{3,4}|\d{6}|\d{8}|v\d(-\d)?|1-0))+$/;

/**
 * The entry with the longest name that `id` begins with, when only a date or a version follows: the price of a model
 * that merely sounds alike would be worse than none.
 */
function findNamed(vendor: CatalogVendor, id: string): CatalogModel | undefined {
  const wanted = toComparable(id);
  let found: { readonly length: number; readonly model: CatalogModel } | undefined;
  for (const [name, model] of Object.entries(catalogData[vendor])) {
    const { length } = name;
    if (found !== undefined && found.length >= length) continue;
    if (!wanted.startsWith(toComparable(name))) continue;
    if (wanted.length === length || snapshot.test(wanted.slice(length))) found = { length, model };
  }
  return found?.model;
}

/** Sellers write the same name with dots, dashes, `@` or capitals. */
function toComparable(name: string): string {
  return name.toLowerCase().replaceAll(/[._@:]/g, "-");
}
