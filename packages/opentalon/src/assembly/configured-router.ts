import { ConfigError } from "../base/errors.ts";
import type { Config } from "../config/load-config.ts";
import type { Model } from "../domain/model.ts";
import { createRouter, type Router } from "../routing/router.ts";
import { toAliases, toWeights } from "./assemble-routing.ts";
import { toProviderOptions } from "./configured-providers.ts";

/**
 * The order the configuration asks for, with all its models: also those whose key is missing in the environment of the
 * command that wants to know, since the program itself may well have it.
 */
export function createConfiguredRouter(config: Config): Router {
  const models = Object.entries(config.models.providers).flatMap(([name, provider]) =>
    listModels(name, provider, config),
  );
  return createRouter({
    models: () => models,
    primary: config.routing.primary === "" ? undefined : config.routing.primary,
    fallbacks: config.routing.fallbacks,
    aliases: toAliases(config),
    weights: toWeights(config),
    pins: config.routing.pin,
  });
}

function listModels(
  name: string,
  provider: Config["models"]["providers"][string],
  config: Config,
): readonly Model[] {
  try {
    return toProviderOptions(name, provider, config).models;
  } catch (error) {
    // What is missing to call it is for the start of the program to say.
    if (error instanceof ConfigError) return [];
    throw error;
  }
}
