import {
  constantFeature,
  featureCount,
  toFeatureKind,
  type FeatureKind,
  type QueryFeatures,
} from "./query-features.ts";

/**
 * What is believed about the weights of a logistic model: an independent Gaussian for each. Kept as the distance from the
 * prior mean, so that a changed prior (another weight in the configuration) counts at once.
 */
export interface Belief {
  readonly distance: Float32Array;
  readonly variance: Float32Array;
  readonly priorVariance: Float32Array;
}

/** How far a weight may lie from its prior, all models taken together. */
const priorVariances: Readonly<Record<FeatureKind, number>> = {
  constant: 1,
  shape: 0.3,
  key: 0.5,
  word: 0.5,
};
/** Part of a weight's variance common to all models: a hard question is hard for each of them. */
const sharedPart = 0.75;
/** How much of its prior variance a weight gets back each time it is used, so that it never stops learning. */
const drift = 0.0001;

function toPriorVariance(part: number): Float32Array {
  return Float32Array.from(
    { length: featureCount },
    (_, index) => part * priorVariances[toFeatureKind(index)],
  );
}

export const sharedPriorVariance: Float32Array = toPriorVariance(sharedPart);
export const ownPriorVariance: Float32Array = toPriorVariance(1 - sharedPart);

export function createBelief(priorVariance: Float32Array): Belief {
  return {
    distance: new Float32Array(featureCount),
    variance: priorVariance.slice(),
    priorVariance,
  };
}

export function toDistance({ distance }: Belief, { indexes, values }: QueryFeatures): number {
  let sum = 0;
  for (let at = 0; at < indexes.length; at++)
    sum += (values[at] ?? 0) * (distance[indexes[at] ?? constantFeature] ?? 0);
  return sum;
}

export function toVariance({ variance }: Belief, { indexes, values }: QueryFeatures): number {
  let sum = 0;
  for (let at = 0; at < indexes.length; at++) {
    const value = values[at] ?? 0;
    sum += value * value * (variance[indexes[at] ?? constantFeature] ?? 0);
  }
  return sum;
}

/**
 * Moves a belief by one observation, as an extended Kalman filter does: `pull` is the gradient of the log likelihood and
 * `curvature` its information, both already divided by what is uncertain in total.
 */
export function updateBelief(
  { distance, variance, priorVariance }: Belief,
  { indexes, values }: QueryFeatures,
  { pull, curvature }: { readonly pull: number; readonly curvature: number },
): void {
  for (let at = 0; at < indexes.length; at++) {
    const index = indexes[at] ?? constantFeature;
    const value = values[at] ?? 0;
    const now = variance[index] ?? 0;
    const prior = priorVariance[index] ?? 0;
    const square = value * value;
    distance[index] = (distance[index] ?? 0) + now * value * pull;
    variance[index] = Math.min(
      prior,
      now - now * now * square * curvature + drift * prior * square,
    );
  }
}

/** Forgets: `keep` is the part of the evidence that stays, 1 for all of it. */
export function fadeBelief({ distance, variance, priorVariance }: Belief, keep: number): void {
  for (let index = 0; index < featureCount; index++) {
    const prior = 1 / (priorVariance[index] ?? 1);
    const precision = 1 / (variance[index] ?? 1);
    const faded = prior + Math.max(0, precision - prior) * keep;
    distance[index] = ((distance[index] ?? 0) * precision * keep) / faded;
    variance[index] = 1 / faded;
  }
}
