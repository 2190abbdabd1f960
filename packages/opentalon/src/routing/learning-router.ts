/**
 * Gets: a question, and later whether its answers were accepted. Gives: the model to ask, and the next one after a
 * rejection, in the order with the least expected loss. Never: calls a model, waits, or reads a clock of its own.
 *
 * Each model has a logistic model of being right, part of it common to all; both are learnt by Bayesian updates. Thompson
 * sampling explores; hidden hardness common to all models makes a rejection count against the others too.
 */
import { toDistance, toVariance, updateBelief } from "./belief.ts";
import { bookCost, toBucketCost, toMeanCost } from "./call-cost.ts";
import type { TaskType } from "./classify-task.ts";
import { hardness, planAttempts, toProbability, type Candidate } from "./plan-attempts.ts";
import { toQueryFeatures, type QueryFeatures, type RouterQuery } from "./query-features.ts";
import {
  createMemory,
  fadeMemory,
  fromRouterState,
  rememberModel,
  spreadRange,
  toRouterState,
  type ModelMemory,
  type RouterState,
} from "./router-state.ts";

export interface RoutedModel {
  readonly name: string;
  /** 0 to 100, higher is cheaper and preferred. */
  readonly weight: number;
  /** Average cost of a call in any one unit, where it is known. */
  readonly cost?: number | undefined;
}

/** What the router weighs against each other. Losses are in calls of the strongest model. */
export interface LearningRouterOptions {
  /** Annoyance of a person who has to reject an answer. */
  readonly rejectionLoss: number;
  /** Harm of a wrong answer that stays. */
  readonly wrongLoss: number;
  /** How often people reject a right answer. */
  readonly falseRejection: number;
  /** How often people accept a wrong answer. */
  readonly missedRejection: number;
  /** Answers to one question, the first included; 1 to 3. */
  readonly maxAttempts: number;
  /** Evidence halves every half of this. */
  readonly decayDays: number;
  /** How far a guess may stray from what is believed: 0 never explores, 1 is plain Thompson sampling. */
  readonly exploration: number;
}

export const learningRouterDefaults: LearningRouterOptions = {
  rejectionLoss: 1,
  wrongLoss: 10,
  falseRejection: 0.03,
  missedRejection: 0.05,
  maxAttempts: 3,
  decayDays: 30,
  exploration: 0.25,
};

export interface Decision {
  readonly model: string;
  readonly task: TaskType;
  /** Believed chance that the answer is right. */
  readonly confidence: number;
  /** Why, in a few words for people. */
  readonly reason: string;
}

export interface LearningRouter {
  readonly decide: (query: RouterQuery) => Decision;
  /** The model to ask after `tried` were rejected, in that order; undefined when attempts or models are used up. */
  readonly next: (query: RouterQuery, tried: readonly string[]) => string | undefined;
  /**
   * Takes in what became of one answer. `tried` are the models rejected before it for the same question. A model that
   * is not among the router's is ignored, and so is a cost that is not a plausible price.
   */
  readonly learn: (outcome: RouterOutcome) => void;
  /** A copy of all that was learnt, plain JSON. */
  readonly state: () => RouterState;
}

export interface RouterOutcome {
  readonly query: RouterQuery;
  readonly model: string;
  readonly tried: readonly string[];
  readonly accepted: boolean;
  readonly cost?: number | undefined;
}

/** Before anything is known even the cheapest is trusted, and the strongest a little more. */
const trustInAny = 2.5;
const trustInStrength = 0.8;
/** The cheapest is taken to cost this part of the strongest until one of them has been paid. */
const cheapestPart = 0.02;
const spreadRate = 0.02;

/** Creates a router over `models`, which may differ from those of `state`. Throws when there is none. */
export function createLearningRouter(dependencies: {
  readonly models: readonly RoutedModel[];
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** From `state()`; what cannot be read is taken for none. */
  readonly state?: unknown;
  readonly options?: Partial<LearningRouterOptions> | undefined;
}): LearningRouter {
  const { random, now } = dependencies;
  const options = { ...learningRouterDefaults, ...dependencies.options };
  const models = [...new Map(dependencies.models.map((model) => [model.name, model])).values()];
  const [firstModel] = models;
  if (firstModel === undefined) throw new Error("a router needs at least one model");
  const memory = fromRouterState(dependencies.state) ?? createMemory(now());

  const weights = models.map(({ weight }) => weight);
  const least = Math.min(...weights);
  const range = Math.max(...weights) - least;
  /** 0 for the model with the largest weight, 1 for the one with the smallest. */
  const strength = ({ weight }: RoutedModel): number =>
    range === 0 ? 0 : 1 - (weight - least) / range;
  const strongest = models.reduce((best, model) => {
    if (model.weight !== best.weight) return model.weight < best.weight ? model : best;
    return (model.cost ?? 0) > (best.cost ?? 0) ? model : best;
  }, firstModel);
  const priorLogit = (model: RoutedModel): number => trustInAny + trustInStrength * strength(model);
  const remember = (name: string): ModelMemory => rememberModel(memory, name, now());

  /** Odds of a rejection that people make by mistake or out of kindness are the same for all models. */
  const heeded = 1 - options.missedRejection - options.falseRejection;
  const toAccepted = (right: number): number => options.missedRejection + heeded * right;
  const spread = (): number => Math.exp(memory.logSpread);

  const gaussian = (): number =>
    Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

  let cached: { query: RouterQuery; features: QueryFeatures } | undefined;
  const toFeatures = (query: RouterQuery): QueryFeatures => {
    const last = cached?.query;
    if (
      cached === undefined ||
      last?.text !== query.text ||
      last.toolCount !== query.toolCount ||
      last.depth !== query.depth
    )
      cached = { query: { ...query }, features: toQueryFeatures(query) };
    return cached.features;
  };

  const toLogit = (model: RoutedModel, features: QueryFeatures): number =>
    priorLogit(model) +
    toDistance(memory.shared, features) +
    toDistance(remember(model.name).belief, features);

  /** Believed average cost of every model; where nothing is known, from its weight and what the others cost. */
  const toCosts = (): readonly number[] => {
    const known = models.map((model) => toMeanCost(remember(model.name).cost, model.cost));
    const guess = models.map((model) => cheapestPart ** (1 - strength(model)));
    const anchor = known.findLastIndex((cost) => cost !== undefined && cost > 0);
    const unit = anchor < 0 ? 1 : (known[anchor] ?? 1) / (guess[anchor] ?? 1);
    return known.map((cost, index) => cost ?? (guess[index] ?? 1) * unit);
  };

  const plan = (
    query: RouterQuery,
    tried: readonly string[],
  ): { model: string; confidence: number; features: QueryFeatures } | undefined => {
    fadeMemory(memory, now(), options.decayDays);
    const features = toFeatures(query);
    const costs = toCosts();
    const highest = Math.max(...costs);
    const strongCost = costs[models.indexOf(strongest)] ?? 0;
    const unit = strongCost > 0 ? strongCost : highest > 0 ? highest : 1;
    const sharedDistance = toDistance(memory.shared, features);
    const candidates = models.map((model, index): Candidate & { logit: number } => {
      const { belief, cost } = remember(model.name);
      const logit = priorLogit(model) + sharedDistance + toDistance(belief, features);
      // Only what sets a model apart is sampled: what all share does not change which is best.
      const stray = tried.includes(model.name)
        ? 0
        : options.exploration * Math.sqrt(toVariance(belief, features)) * gaussian();
      const right = hardness.map((point) => toProbability(logit + stray + spread() * point));
      return {
        name: model.name,
        cost: toBucketCost(cost, features.costBucket, costs[index] ?? 0),
        right,
        rejected: right.map((chance) => 1 - toAccepted(chance)),
        logit,
      };
    });
    const likely = candidates
      .filter(({ name }) => tried.includes(name))
      .reduce(
        (odds, { rejected }) => odds.map((each, at) => each * (rejected[at] ?? 0)),
        hardness.map(() => 1),
      );
    const total = likely.reduce((sum, each) => sum + each, 0);
    const found = planAttempts(
      candidates.filter(({ name }) => !tried.includes(name)),
      {
        weights: likely.map((each) => (total > 0 ? each / total : 1 / hardness.length)),
        attempts: options.maxAttempts - tried.length,
        losses: {
          rejection: options.rejectionLoss * unit,
          wrong: options.wrongLoss * unit,
          missedRejection: options.missedRejection,
        },
      },
    );
    if (found === undefined) return undefined;
    const { name } = found.candidate;
    const logit = candidates.find((candidate) => candidate.name === name)?.logit ?? 0;
    const chances = hardness.map((point) => toProbability(logit + spread() * point));
    const confidence = chances.reduce((sum, each) => sum + each, 0) / chances.length;
    return { model: name, confidence, features };
  };

  const decide = (query: RouterQuery): Decision => {
    const found = plan(query, []);
    const { model, confidence } = found ?? { model: firstModel.name, confidence: 0.5 };
    const task = toFeatures(query).task;
    const percent = Math.round(100 * confidence);
    const reason =
      models.length === 1
        ? "the only model"
        : `least expected cost for ${task}, right in about ${percent} of 100`;
    return { model, task, confidence, reason };
  };

  const next = (query: RouterQuery, tried: readonly string[]): string | undefined =>
    tried.length >= options.maxAttempts ? undefined : plan(query, tried)?.model;

  const learn = ({ query, model: name, tried, accepted, cost }: RouterOutcome): void => {
    const model = models.find((each) => each.name === name);
    if (model === undefined) return;
    fadeMemory(memory, now(), options.decayDays);
    const features = toFeatures(query);
    const scale = spread();

    // How hard the question seems after the rejections before, and how that depends on the spread.
    const likely = hardness.map(() => 1);
    const slopes = hardness.map(() => 0);
    for (const before of models) {
      if (before === model || !tried.includes(before.name)) continue;
      const logit = toLogit(before, features);
      hardness.forEach((point, at) => {
        const right = toProbability(logit + scale * point);
        const rejected = 1 - toAccepted(right);
        likely[at] = (likely[at] ?? 0) * rejected;
        slopes[at] = (slopes[at] ?? 0) - (heeded * right * (1 - right) * point) / rejected;
      });
    }
    const total = likely.reduce((sum, each) => sum + each, 0);
    const odds = likely.map((each) => each / total);
    const meanSlope = odds.reduce((sum, each, at) => sum + each * (slopes[at] ?? 0), 0);

    const { belief, cost: callCost } = remember(name);
    const logit = toLogit(model, features);
    let expected = 0;
    let slope = 0;
    let spreadSlope = 0;
    hardness.forEach((point, at) => {
      const share = odds[at] ?? 0;
      const right = toProbability(logit + scale * point);
      const steep = heeded * right * (1 - right);
      expected += share * toAccepted(right);
      slope += share * steep;
      spreadSlope += share * (steep * point + ((slopes[at] ?? 0) - meanSlope) * toAccepted(right));
    });
    const noise = expected * (1 - expected);
    const surprise = (accepted ? 1 : 0) - expected;
    const information = (slope * slope) / noise;
    const uncertain = toVariance(memory.shared, features) + toVariance(belief, features);
    const damped = 1 + information * uncertain;
    const step = { pull: (surprise * slope) / noise / damped, curvature: information / damped };
    updateBelief(memory.shared, features, step);
    updateBelief(belief, features, step);
    if (tried.length > 0) {
      const moved = memory.logSpread + (spreadRate * surprise * spreadSlope * scale) / noise;
      memory.logSpread = Math.min(spreadRange[1], Math.max(spreadRange[0], moved));
    }
    if (cost !== undefined) bookCost(callCost, features.costBucket, cost);
  };

  return { decide, next, learn, state: () => toRouterState(memory) };
}
