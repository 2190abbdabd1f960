/**
 * Gets: the features of a question, and later whether its answers were accepted. Gives: the model to ask, and the next one after a
 * rejection, in the order with the least expected loss. Never: calls a model, waits, or reads a clock of its own.
 *
 * Each model has a logistic model of being right, part of it common to all; both are learnt by Bayesian updates. Thompson
 * sampling explores; hidden hardness common to all models makes a rejection count against the others too.
 */
import { toDistance, toVariance, updateBelief } from "./belief.ts";
import { bookCost, toBucketCost, toMeanCost } from "./call-cost.ts";
import type { TaskType } from "./classify-task.ts";
import { createPlanner, hardness, toProbability } from "./plan-attempts.ts";
import type { QueryFeatures } from "./query-features.ts";
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
  readonly decide: (features: QueryFeatures) => Decision;
  /** The model to ask after `tried` were rejected, in that order; undefined when attempts or models are used up. */
  readonly next: (features: QueryFeatures, tried: readonly string[]) => string | undefined;
  /**
   * Takes in what became of one answer. `tried` are the models rejected before it for the same question. A model that
   * is not among the router's is ignored, and so is a cost that is not a plausible price.
   */
  readonly learn: (outcome: RouterOutcome) => void;
  /** Believed chance of each model, 0 to 1, that its answer is right. */
  readonly chances: (
    features: QueryFeatures,
  ) => readonly { readonly model: string; readonly right: number }[];
  /** A copy of all that was learnt, plain JSON. */
  readonly state: () => RouterState;
}

export interface RouterOutcome {
  readonly features: QueryFeatures;
  readonly model: string;
  readonly tried: readonly string[];
  readonly accepted: boolean;
  readonly cost?: number | undefined;
  /** How much the signal counts, from 0 to 10; 1 when absent, more for one that leaves no doubt. */
  readonly weight?: number | undefined;
  /** When the signal came, for outcomes told later; now when absent or ahead of now. */
  readonly atMs?: number | undefined;
}

/** Before anything is known even the cheapest is trusted, and the strongest a little more. */
const trustInAny = 2.5;
const trustInStrength = 0.8;
/** The cheapest is taken to cost this part of the strongest until one of them has been paid. */
const cheapestPart = 0.02;
const spreadRate = 0.02;
const points = hardness.length;
const mostEvidence = 10;
const toEvidence = (weight = 1): number =>
  Number.isNaN(weight) ? 1 : Math.min(mostEvidence, Math.max(0, weight));

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

  const toLogit = (model: RoutedModel, features: QueryFeatures): number =>
    priorLogit(model) +
    toDistance(memory.shared, features) +
    toDistance(remember(model.name).belief, features);

  const planner = createPlanner(models.length, Math.max(1, options.maxAttempts));
  const costs = new Float64Array(models.length);
  const logits = new Float64Array(models.length);
  /** What a call is taken to cost, in parts of the strongest, until one of them has been paid. */
  const guesses = models.map((model) => cheapestPart ** (1 - strength(model)));
  const strongestAt = models.indexOf(strongest);

  /** Sets the believed average cost of every model, and gives the unit of losses: a call of the strongest. */
  const weighCosts = (memories: readonly ModelMemory[]): number => {
    let unit = 1;
    models.forEach(({ cost }, at) => {
      const known = memories[at] === undefined ? cost : toMeanCost(memories[at].cost, cost);
      costs[at] = known ?? Number.NaN;
      if (known !== undefined && known > 0) unit = known / (guesses[at] ?? 1);
    });
    let highest = 0;
    for (let at = 0; at < costs.length; at++) {
      const cost = costs[at] ?? Number.NaN;
      if (Number.isNaN(cost)) costs[at] = (guesses[at] ?? 1) * unit;
      highest = Math.max(highest, costs[at] ?? 0);
    }
    const strongCost = costs[strongestAt] ?? 0;
    return strongCost > 0 ? strongCost : highest > 0 ? highest : 1;
  };

  /** Place of the model to ask next among `models`, or -1. Its numbers stand in arrays that are used again. */
  const plan = (features: QueryFeatures, tried: readonly string[]): number => {
    fadeMemory(memory, now(), options.decayDays);
    const memories = models.map(({ name }) => remember(name));
    const unit = weighCosts(memories);
    const sharedDistance = toDistance(memory.shared, features);
    const scale = spread();
    const { weights } = planner;
    weights.fill(1);
    for (let at = 0; at < models.length; at++) {
      const [model, memoryOfModel] = [models[at], memories[at]];
      if (model === undefined || memoryOfModel === undefined) continue;
      const { belief, cost } = memoryOfModel;
      const logit = priorLogit(model) + sharedDistance + toDistance(belief, features);
      const wasTried = tried.includes(model.name);
      // Only what sets a model apart is sampled: what all share does not change which is best.
      const stray = wasTried
        ? 0
        : options.exploration * Math.sqrt(toVariance(belief, features)) * gaussian();
      logits[at] = logit;
      planner.tried[at] = wasTried ? 1 : 0;
      planner.cost[at] = toBucketCost(cost, features.costBucket, costs[at] ?? 0);
      for (let point = 0; point < points; point++) {
        const right = toProbability(logit + stray + scale * (hardness[point] ?? 0));
        const rejected = 1 - toAccepted(right);
        planner.right[at * points + point] = right;
        planner.rejected[at * points + point] = rejected;
        if (wasTried) weights[point] = (weights[point] ?? 0) * rejected;
      }
    }
    let total = 0;
    for (let point = 0; point < points; point++) total += weights[point] ?? 0;
    for (let point = 0; point < points; point++)
      weights[point] = total > 0 ? (weights[point] ?? 0) / total : 1 / points;
    return planner.plan(options.maxAttempts - tried.length, {
      rejection: options.rejectionLoss * unit,
      wrong: options.wrongLoss * unit,
      missedRejection: options.missedRejection,
    });
  };

  const decide = (features: QueryFeatures): Decision => {
    const found = plan(features, []);
    const model = (models[found] ?? firstModel).name;
    const scale = spread();
    let confidence = found < 0 ? 0.5 : 0;
    if (found >= 0)
      for (const point of hardness)
        confidence += toProbability((logits[found] ?? 0) + scale * point) / points;
    const { task } = features;
    const percent = Math.round(100 * confidence);
    const reason =
      models.length === 1
        ? "the only model"
        : `least expected cost for ${task}, right in about ${percent} of 100`;
    return { model, task, confidence, reason };
  };

  const next = (features: QueryFeatures, tried: readonly string[]): string | undefined =>
    tried.length >= options.maxAttempts ? undefined : models[plan(features, tried)]?.name;

  const learn = (outcome: RouterOutcome): void => {
    const { features, model: name, tried, accepted, cost } = outcome;
    const model = models.find((each) => each.name === name);
    if (model === undefined) return;
    // A clock that runs ahead elsewhere must not make this router forget.
    fadeMemory(memory, Math.min(outcome.atMs ?? now(), now()), options.decayDays);
    const evidence = toEvidence(outcome.weight);
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
    const damped = 1 + evidence * information * uncertain;
    const step = {
      pull: (evidence * surprise * slope) / noise / damped,
      curvature: (evidence * information) / damped,
    };
    updateBelief(memory.shared, features, step);
    updateBelief(belief, features, step);
    if (tried.length > 0) {
      const moved =
        memory.logSpread + (evidence * spreadRate * surprise * spreadSlope * scale) / noise;
      memory.logSpread = Math.min(spreadRange[1], Math.max(spreadRange[0], moved));
    }
    if (cost !== undefined) bookCost(callCost, features.costBucket, cost);
  };

  const chances: LearningRouter["chances"] = (features) => {
    fadeMemory(memory, now(), options.decayDays);
    const scale = spread();
    return models.map((model) => {
      const logit = toLogit(model, features);
      const sum = hardness.reduce((all, point) => all + toProbability(logit + scale * point), 0);
      return { model: model.name, right: sum / points };
    });
  };

  return { decide, next, learn, chances, state: () => toRouterState(memory) };
}
