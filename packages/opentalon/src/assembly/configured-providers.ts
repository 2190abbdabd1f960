import { readFileSync } from "node:fs";
import { ConfigError, toMessage } from "../base/errors.ts";
import type { Secret } from "../base/secret.ts";
import type { Config } from "../config/load-config.ts";
import { findNearestName } from "../config/nearest-name.ts";
import type { Model, ModelCost, ModelInput } from "../domain/model.ts";
import {
  createAwsCredential,
  createServiceAccountCredential,
  readServiceAccount,
} from "../providers/credentials/cloud-credentials.ts";
import { findKnownProvider, knownProviders } from "../providers/catalog/known-providers.ts";
import { findCatalogModel } from "../providers/catalog/model-catalog.ts";
import type { ProviderApi, ProviderOptions } from "../providers/provider-options.ts";
import type { KnownModel, ToldModels } from "../providers/plugin/told-models.ts";

type ConfiguredProvider = Config["models"]["providers"][string];
type ConfiguredModel = ConfiguredProvider["models"][number];

/** Where a provider is and what it speaks; the gaps of the configuration are filled by what its name says. */
type ProviderPlace = Pick<ProviderOptions, "name" | "api" | "baseUrl">;

/**
 * A configured provider with its models.
 * @throws ConfigError when nothing says where it is, or a file with its credential cannot be used.
 */
export function toProviderOptions(
  name: string,
  provider: ConfiguredProvider,
  config: Config,
): ProviderOptions {
  const { maxAttempts, baseDelayMs, maxDelayMs, maxTotalWaitMs } = provider.retry;
  const place = toPlace(name, provider);
  const fileKey = readCredentialsFile(name, provider.credentialsFile);
  const project = provider.project || (fileKey?.project ?? "");
  const options: ProviderOptions = {
    ...place,
    cloud: { region: provider.region, project, location: provider.location },
    credentials: [...provider.apiKeys, ...toAwsCredentials(provider), ...toList(fileKey?.secret)],
    retry: { maxAttempts, initialDelayMs: baseDelayMs, maxDelayMs, maxTotalMs: maxTotalWaitMs },
    models: toModels(place, provider, config),
  };
  checkCloud(options, fileKey !== undefined);
  return options;
}

function toPlace(name: string, { api, baseUrl, plugin }: ConfiguredProvider): ProviderPlace {
  if (plugin !== "") return { name, api: "plugin" };
  if (baseUrl !== "") return { name, api: api || "openai-completions", baseUrl };
  const known = findKnownProvider(name);
  if (known?.ownAddress !== undefined)
    throw invalid(name, `has no base_url; set it to ${known.ownAddress}`);
  if (known === undefined && api === "") throw invalid(name, explainMissingAddress(name));
  const spoken: ProviderApi = api || (known?.api ?? "openai-completions");
  // An address belongs to a language; a key must not go to whoever speaks another one.
  if (known !== undefined && spoken !== known.api && !(isOpenAi(spoken) && isOpenAi(known.api)))
    throw invalid(name, `has api ${spoken} and no base_url; set the address that speaks it`);
  return { name, api: spoken, ...(known?.baseUrl === undefined ? {} : { baseUrl: known.baseUrl }) };
}

/** A slip of the pen must not send somebody's key and conversations to OpenAI. */
function explainMissingAddress(name: string): string {
  const nearest = findNearestName(name, Object.keys(knownProviders));
  const hint = nearest === undefined ? "" : `; or did you mean ${nearest}?`;
  const what =
    "has no base_url, and its name is not a well-known one; set the address of the service";
  return `${what}, or api: openai-completions for OpenAI itself${hint}`;
}

function isOpenAi(api: ProviderApi): boolean {
  return api === "openai-completions" || api === "openai-responses";
}

function toAwsCredentials(provider: ConfiguredProvider): readonly Secret[] {
  const { accessKeyId, secretAccessKey, sessionToken } = provider;
  if (accessKeyId === undefined || secretAccessKey === undefined) return [];
  const keys = { accessKeyId: accessKeyId.reveal(), secretAccessKey: secretAccessKey.reveal() };
  return [createAwsCredential({ ...keys, sessionToken: sessionToken?.reveal() ?? "" })];
}

function readCredentialsFile(
  name: string,
  path: string,
): { readonly secret: Secret; readonly project: string } | undefined {
  if (path === "") return undefined;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw invalid(name, `cannot read its credentials_file: ${toMessage(error)}`);
  }
  const secret = createServiceAccountCredential(text);
  if (secret === undefined)
    throw invalid(
      name,
      "has a credentials_file that is not the JSON of a service account; it needs client_email and private_key",
    );
  return { secret, project: readServiceAccount(text)?.projectId ?? "" };
}

function checkCloud(options: ProviderOptions, hasAccount: boolean): void {
  const { name, api, baseUrl, cloud, credentials } = options;
  if (api !== "bedrock-converse" && api !== "google-vertex") return;
  const hasAddress = baseUrl !== undefined;
  if (credentials.length === 0 && !hasAddress)
    throw invalid(
      name,
      api === "bedrock-converse"
        ? "has no credential; set api_key, or access_key_id and secret_access_key"
        : "has no credential; set api_key or credentials_file",
    );
  if (api === "bedrock-converse" && !hasAddress && cloud?.region === "")
    throw invalid(name, "has no region; set for example region: us-east-1");
  if (api === "google-vertex" && hasAccount && !hasAddress && cloud?.project === "")
    throw invalid(
      name,
      "has no project; set project to the identifier of the Google Cloud project",
    );
}

function invalid(name: string, problem: string): ConfigError {
  const end = problem.endsWith("?") ? "" : ".";
  return new ConfigError("CONFIG_INVALID", `models.providers.${name} ${problem}${end}`);
}

function toList<Item>(item: Item | undefined): readonly Item[] {
  return item === undefined ? [] : [item];
}

/** The models of a provider plugin, as it told of them; the configuration wins. */
export function toPluginModels(
  name: string,
  provider: ConfiguredProvider,
  config: Config,
  told: ToldModels,
): readonly Model[] {
  return toModels({ name, api: "plugin" }, provider, config, told);
}

/** The listed models, and those that routing or the catalogue name without their being listed. */
function toModels(
  place: ProviderPlace,
  { models }: Pick<ConfiguredProvider, "models">,
  { routing, models: { catalog } }: Config,
  told: ToldModels = new Map(),
): readonly Model[] {
  const { name: provider } = place;
  const listed =
    models.length > 0 || told.size === 0
      ? models.map((model) => toModel(place, model, told.get(model.id)))
      : [...told].map(([id, known]) => toUnlistedModel(place, id, known));
  const pinned = Object.values(routing.pin);
  const named = [routing.primary, ...routing.fallbacks, ...pinned, ...Object.keys(catalog)]
    .filter(
      (name) => name.startsWith(`${provider}/`) && !listed.some((model) => model.name === name),
    )
    .map((name) => {
      const id = name.slice(provider.length + 1);
      return toUnlistedModel(place, id, told.get(id));
    });
  const all = [...listed, ...named];
  return all.length > 0 ? all : [toUnlistedModel(place, findUsualModel(place) ?? "default")];
}

/** Only at its own address is a provider known to have its usual model. */
function findUsualModel({ name, api, baseUrl }: ProviderPlace): string | undefined {
  const known = findKnownProvider(name);
  return known?.api === api && known.baseUrl === baseUrl ? known.usualModel : undefined;
}

export function toUnlistedModel(place: ProviderPlace, id: string, told?: KnownModel): Model {
  const nothing: ConfiguredModel = {
    id,
    name: "",
    reasoning: false,
    reasoningEffort: "",
    features: [],
    input: [],
    contextWindow: undefined,
    maxTokens: undefined,
    cost: { input: undefined, output: undefined, cachedInput: undefined, cacheWrite: undefined },
  };
  return toModel(place, nothing, told);
}

/** What the configuration says of a model, an explicit 0 included; what it leaves out comes from the catalogue. */
function toModel(place: ProviderPlace, configured: ConfiguredModel, told?: KnownModel): Model {
  const { id, features, input, reasoningEffort } = configured;
  const known = told ?? findCatalogModel({ ...place, provider: place.name, id });
  return {
    name: `${place.name}/${id}`,
    provider: place.name,
    id,
    // Nearly every model calls tools natively today; one that lists its features and leaves `tools` out does not.
    nativeTools: features.length === 0 ? (known?.nativeTools ?? true) : features.includes("tools"),
    contextWindow: configured.contextWindow ?? known?.contextWindow ?? 0,
    maxTokens: configured.maxTokens ?? toOutputLimit(place.api, known),
    input: input.length === 0 ? (known?.input ?? ["text"]) : toModelInput(input),
    cost: toCost(configured.cost, known?.cost),
    reasoningEffort: reasoningEffort === "" ? undefined : reasoningEffort,
  };
}

/** Enough for any answer in a conversation; more would be kept free in the context window for nothing. */
const usualOutputLimit = 16_384;

/** Only where the API demands a limit, or a plugin tells one: elsewhere one would count against limits per minute, used or not. */
function toOutputLimit(api: ProviderApi, known: KnownModel | undefined): number {
  if (api === "plugin") return known?.maxOutput ?? 0;
  if (api !== "anthropic-messages" || known === undefined) return 0;
  return Math.min(known.maxOutput, usualOutputLimit);
}

/** Who sets the price of input has other prices for the cache, too: those of the catalogue belong to its own price. */
function toCost(configured: ConfiguredModel["cost"], known: ModelCost | undefined): ModelCost {
  const cached = configured.input === undefined ? known : undefined;
  return {
    input: configured.input ?? known?.input ?? 0,
    output: configured.output ?? known?.output ?? 0,
    cachedInput: configured.cachedInput ?? cached?.cachedInput,
    cacheWrite: configured.cacheWrite ?? cached?.cacheWrite,
  };
}

const modelInputs: readonly ModelInput[] = ["text", "image", "pdf", "audio"];

function toModelInput(listed: readonly string[]): readonly ModelInput[] {
  return modelInputs.filter((each) => each === "text" || listed.includes(each));
}
