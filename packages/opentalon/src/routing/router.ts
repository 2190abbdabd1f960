/**
 * Gets: what a turn is about, and what people and the configuration chose. Gives: models in the order they are to be tried.
 * Never: calls a model; `providers` walks the list.
 */
import type { RouteCause } from "../domain/answer.ts";
import type { Model } from "../domain/model.ts";
import type { Affinity } from "./learning/affinity.ts";
import type { QueryFeatures } from "./learning/query-features.ts";

export interface RouteRequest {
  /** Name of the model the person wants for this message; empty for none. */
  readonly override?: string | undefined;
  /** `provider/model` pinned by the person with `/model`; empty for none. */
  readonly pinnedModel: string;
  /** What is asked; absent where nothing is asked yet and the order alone is wanted. */
  readonly features?: QueryFeatures | undefined;
  /** Models whose answers to this question were rejected, in that order. */
  readonly tried?: readonly string[] | undefined;
}

export interface Route {
  /** Never empty. */
  readonly models: readonly Model[];
  /** Why the first one comes first. */
  readonly cause: RouteCause;
  /** The same in a few words for people. */
  readonly reason: string;
}

export interface Router {
  readonly rank: (request: RouteRequest) => Route;
  /** The model a person means by `name`: `provider/model`, a bare model id, or an alias. */
  readonly resolve: (name: string) => Model | undefined;
  readonly models: () => readonly Model[];
  /** Those among which routing chooses, cheapest first; fewer than two leave nothing to choose. */
  readonly choices: () => readonly Choice[];
  /** What `features` would get if nobody had chosen; `undefined` when there is no choice. */
  readonly propose: (features: QueryFeatures) => Model | undefined;
}

/** A model routing may choose. */
export interface Choice {
  readonly model: Model;
  /** 0 to 100, higher is cheaper and preferred. */
  readonly weight: number;
}

export interface RouterOptions {
  /** Every known model; grows when a provider is found later. Never empty. */
  readonly models: () => readonly Model[];
  /** `provider/model` or `provider`; the first known model when absent. */
  readonly primary: string | undefined;
  readonly fallbacks: readonly string[];
  /** Alias to `provider/model`. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Weight by `provider/model`; models without one are not chosen, only fallen back to. */
  readonly weights?: Readonly<Record<string, number>>;
  /** Model by kind of task. */
  readonly pins?: Readonly<Record<string, string>>;
  /** Name of the model for every message for which nobody chose another one; absent or empty for none. */
  readonly preferred?: string | undefined;
  /** Absent when nothing is learnt: then weights alone decide. */
  readonly affinity?: Pick<Affinity, "decide" | "next"> | undefined;
}

interface First {
  readonly model: Model;
  readonly cause: RouteCause;
  readonly reason: string;
}

/**
 * Orders models: what the person asked for, what the task is pinned to, what was learnt or weighs most, and behind it
 * whoever may step in: the primary, the fallbacks, the other choices, each once. A model whose answer was rejected comes
 * last, for when no other one can be reached.
 */
export function createRouter(options: RouterOptions): Router {
  const { aliases, weights = {}, pins = {}, affinity } = options;

  const resolve = (name: string): Model | undefined => {
    const wanted = aliases[name] ?? name;
    const models = options.models();
    return (
      models.find((model) => model.name === wanted) ??
      models.find((model) => model.id === wanted) ??
      models.find((model) => model.provider === wanted)
    );
  };

  const weighted = (): readonly Choice[] =>
    options
      .models()
      .map((model) => ({ model, weight: weights[model.name] ?? 0 }))
      .filter(({ weight }) => weight > 0)
      .toSorted((a, b) => b.weight - a.weight);

  /** Without weights the configured order is the order of preference. */
  const chain = (): readonly Model[] => {
    const primary = options.primary === undefined ? undefined : resolve(options.primary);
    const named = [primary, ...options.fallbacks.map(resolve)].filter(isKnown);
    return [...new Set(named)];
  };

  const firstByChoice = (
    features: QueryFeatures | undefined,
    tried: readonly string[],
  ): First | undefined => {
    const choices = weighted();
    if (tried.length > 0) {
      const order = choices.length > 0 ? choices.map(({ model }) => model) : chain();
      const learnt = features === undefined ? undefined : affinity?.next(features, tried);
      const isFresh = ({ name }: Model): boolean => !tried.includes(name);
      const last = order.findLastIndex((known) => !isFresh(known));
      const model =
        (learnt === undefined ? undefined : resolve(learnt)) ??
        // After a strong one was rejected, a weak one is what is left, and not what comes next.
        order.slice(last + 1).find(isFresh) ??
        order.findLast(isFresh) ??
        order.at(-1);
      const reason = explainRejections(tried);
      return model === undefined ? undefined : { model, cause: "escalation", reason };
    }
    const pinned = features === undefined ? undefined : pins[features.task];
    const pin = pinned === undefined ? undefined : resolve(pinned);
    if (pin !== undefined && features !== undefined) {
      const reason = `routing.pin sends ${features.task} to it`;
      return { model: pin, cause: "task-pin", reason };
    }
    if (choices.length > 1 && affinity !== undefined && features !== undefined) {
      const decision = affinity.decide(features);
      const model = resolve(decision.model);
      if (model !== undefined) return { model, cause: "learnt", reason: decision.reason };
    }
    const [heaviest] = choices;
    if (heaviest === undefined) return undefined;
    const reason = `its weight of ${heaviest.weight} is the largest`;
    return { model: heaviest.model, cause: "weight", reason };
  };

  const findFirst = ({ override, pinnedModel, features, tried = [] }: RouteRequest): First => {
    const wanted = isGiven(override) ? resolve(override) : undefined;
    if (wanted !== undefined)
      return { model: wanted, cause: "override", reason: "you asked for it with --model" };
    const pinned = pinnedModel === "" ? undefined : resolve(pinnedModel);
    if (pinned !== undefined)
      return { model: pinned, cause: "pin", reason: "you chose it with /model" };
    const preferred = isGiven(options.preferred) ? resolve(options.preferred) : undefined;
    if (preferred !== undefined)
      return { model: preferred, cause: "pin", reason: "you started OpenTalon with --model" };
    const chosen = firstByChoice(features, tried);
    if (chosen !== undefined) return chosen;
    const model = chain()[0] ?? options.models()[0];
    if (model === undefined) throw new Error("a router needs at least one model");
    return { model, cause: "order", reason: "it comes first in the configured order" };
  };

  const rank = (request: RouteRequest): Route => {
    const { model, cause, reason } = findFirst(request);
    const { tried = [] } = request;
    const behind = [...chain(), ...weighted().map((choice) => choice.model)];
    const isFresh = ({ name }: Model): boolean => !tried.includes(name);
    const models = [model, ...behind.filter(isFresh), ...behind];
    return { models: [...new Set(models)], cause, reason };
  };

  return {
    rank,
    resolve,
    models: options.models,
    choices: weighted,
    propose: (features) => firstByChoice(features, [])?.model,
  };
}

function explainRejections(tried: readonly string[]): string {
  const last = tried.at(-1) ?? "";
  if (tried.length === 1) return `the answer of ${last} was rejected`;
  return `the answers of ${tried.slice(0, -1).join(", ")} and ${last} were rejected`;
}

function isKnown(model: Model | undefined): model is Model {
  return model !== undefined;
}

function isGiven(name: string | undefined): name is string {
  return name !== undefined && name !== "";
}
