/**
 * Gets: the session's pin and what the turn is about. Gives: models in the order they are to be tried.
 * Never: calls a model; `providers` walks the list.
 */
import type { Model } from "../domain/model.ts";

export interface RouteRequest {
  /** `provider/model` pinned by the person with `/model`; empty for none. */
  readonly pinnedModel: string;
}

export interface Route {
  /** Never empty. */
  readonly models: readonly Model[];
  /** Why the first one comes first, in a few words for people. */
  readonly reason: string;
}

export interface Router {
  readonly rank: (request: RouteRequest) => Route;
  /** The model a person means by `name`: `provider/model`, a bare model id, or an alias. */
  readonly resolve: (name: string) => Model | undefined;
  readonly models: () => readonly Model[];
}

export interface RouterOptions {
  /** Every known model; grows when a provider is found later. Never empty. */
  readonly models: () => readonly Model[];
  /** `provider/model` or `provider`; the first known model when absent. */
  readonly primary: string | undefined;
  readonly fallbacks: readonly string[];
  /** Alias to `provider/model`. */
  readonly aliases: Readonly<Record<string, string>>;
}

/** Orders models: the pin, then the primary, then the fallbacks, each once. */
export function createRouter(options: RouterOptions): Router {
  const resolve = (name: string): Model | undefined => {
    const wanted = options.aliases[name] ?? name;
    const models = options.models();
    return (
      models.find((model) => model.name === wanted) ??
      models.find((model) => model.id === wanted) ??
      models.find((model) => model.provider === wanted)
    );
  };

  const rank = ({ pinnedModel }: RouteRequest): Route => {
    const pinned = pinnedModel === "" ? undefined : resolve(pinnedModel);
    const primary = options.primary === undefined ? options.models()[0] : resolve(options.primary);
    const chain = [pinned, primary, ...options.fallbacks.map(resolve)];
    const models = [...new Set(chain.filter((model) => model !== undefined))];
    const first = models[0] ?? options.models()[0];
    if (first === undefined) throw new Error("a router needs at least one model");
    return {
      models: models.length === 0 ? [first] : models,
      reason: pinned === undefined ? "the configured order" : "you chose it with /model",
    };
  };

  return { rank, resolve, models: options.models };
}
