/**
 * How hard a question is beyond what its features tell, on points of equal weight. Models share it: where one failed,
 * the others are less likely to succeed, and the chance that all of a set fail does not depend on their order.
 */
export const hardness: readonly number[] = [-1.5, -0.567, 0, 0.567, 1.5];
const points = hardness.length;

export const toProbability = (logit: number): number => 1 / (1 + Math.exp(-logit));

export interface PlanLosses {
  /** Of one rejection, in the unit of costs. */
  readonly rejection: number;
  /** Of a wrong answer that stays. */
  readonly wrong: number;
  /** Chance that a wrong answer is accepted. */
  readonly missedRejection: number;
}

/** Beyond so many models only the most promising are thought through. */
const widest = 7;

/** What each model is worth for one question, and the search for the one to ask; its arrays are used again and again. */
export interface Planner {
  /** Expected cost of a call, per model. */
  readonly cost: Float64Array;
  /** Chance of a right answer: model by model, at each point of `hardness`. */
  readonly right: Float64Array;
  /** Chance that the person rejects the answer, likewise. */
  readonly rejected: Float64Array;
  /** 1 for a model that was asked already. */
  readonly tried: Uint8Array;
  /** How likely each point of `hardness` is by now. */
  readonly weights: Float64Array;
  /**
   * The model that opens the order with the least expected loss, looking ahead over `attempts`; -1 when none is left.
   */
  readonly plan: (attempts: number, losses: PlanLosses) => number;
}

export function createPlanner(modelCount: number, mostAttempts: number): Planner {
  const cost = new Float64Array(modelCount);
  const right = new Float64Array(modelCount * points);
  const rejected = new Float64Array(modelCount * points);
  const tried = new Uint8Array(modelCount);
  const weights = new Float64Array(points);
  /** Models worth a thought, `promising` of them, and what asking only one of them would lose. */
  const order = new Uint16Array(modelCount);
  const alone = new Float64Array(modelCount);
  let promising = 0;
  const asked = new Uint8Array(modelCount);
  const left = Array.from({ length: mostAttempts }, () => new Float64Array(points));
  let attempts = 0;
  let losses: PlanLosses = { rejection: 0, wrong: 0, missedRejection: 0 };

  // Results of the two functions below stand outside of them, so that looking ahead allocates nothing.
  /** Loss of asking the model weighed last. */
  let now = 0;
  /** Loss that comes on top when nobody is asked after it. */
  let last = 0;
  let first = -1;

  const weigh = (model: number, likely: Float64Array): void => {
    now = 0;
    last = 0;
    for (let at = 0; at < points; at++) {
      const weight = likely[at] ?? 0;
      const chance = model * points + at;
      const wrong = weight * (1 - (right[chance] ?? 0)) * losses.wrong;
      now +=
        weight * ((cost[model] ?? 0) + (rejected[chance] ?? 0) * losses.rejection) +
        wrong * losses.missedRejection;
      last += wrong * (1 - losses.missedRejection);
    }
  };

  const choosePromising = (): void => {
    promising = 0;
    for (let model = 0; model < modelCount; model++)
      if (tried[model] === 0) order[promising++] = model;
    if (promising <= widest) return;
    for (let at = 0; at < promising; at++) {
      const model = order[at] ?? 0;
      weigh(model, weights);
      const loss = now + last;
      let place = at;
      for (; place > 0 && (alone[place - 1] ?? 0) > loss; place--) {
        alone[place] = alone[place - 1] ?? 0;
        order[place] = order[place - 1] ?? 0;
      }
      alone[place] = loss;
      order[place] = model;
    }
    promising = widest;
  };

  /** Least loss from attempt `depth` on, infinite when nobody is left; sets `first` to who is to be asked there. */
  const search = (likely: Float64Array, depth: number): number => {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    const after = left[depth];
    for (let at = 0; at < promising; at++) {
      const model = order[at] ?? 0;
      if (asked[model] === 1) continue;
      weigh(model, likely);
      const asking = now;
      if (asking >= least) continue;
      let rest = last;
      if (depth + 1 < attempts && after !== undefined) {
        for (let point = 0; point < points; point++)
          after[point] = (likely[point] ?? 0) * (rejected[model * points + point] ?? 0);
        asked[model] = 1;
        const ahead = search(after, depth + 1);
        asked[model] = 0;
        if (ahead !== Number.POSITIVE_INFINITY) rest = ahead;
      }
      const loss = asking + rest;
      if (loss >= least) continue;
      least = loss;
      best = model;
    }
    first = best;
    return least;
  };

  const plan: Planner["plan"] = (attemptsLeft, given) => {
    attempts = attemptsLeft;
    losses = given;
    choosePromising();
    search(weights, 0);
    return first;
  };

  return { cost, right, rejected, tried, weights, plan };
}
