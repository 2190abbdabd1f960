/**
 * How hard a question is beyond what its features tell, on points of equal weight. Models share it: where one failed,
 * the others are less likely to succeed, and the chance that all of a set fail does not depend on their order.
 */
export const hardness: readonly number[] = [-1.5, -0.567, 0, 0.567, 1.5];

export const toProbability = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** What a model is worth for one question. */
export interface Candidate {
  readonly name: string;
  /** Expected cost of a call. */
  readonly cost: number;
  /** Chance of a right answer, at each point of `hardness`. */
  readonly right: readonly number[];
  /** Chance that the person rejects the answer, at each point of `hardness`. */
  readonly rejected: readonly number[];
}

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

/**
 * The next model of the order with the least expected loss, looking ahead over all attempts that remain.
 * `weights` says how likely each point of `hardness` is by now. Undefined when there is no candidate.
 */
export function planAttempts(
  candidates: readonly Candidate[],
  options: {
    readonly weights: readonly number[];
    readonly attempts: number;
    readonly losses: PlanLosses;
  },
): { readonly candidate: Candidate; readonly loss: number } | undefined {
  const { losses } = options;

  // Two numbers of the candidate weighed last, kept outside so that looking ahead allocates nothing.
  /** Loss of asking it. */
  let now = 0;
  /** Loss that comes on top when nobody is asked after it. */
  let last = 0;
  const weigh = (candidate: Candidate, weights: ArrayLike<number>): void => {
    now = 0;
    last = 0;
    for (let at = 0; at < weights.length; at++) {
      const weight = weights[at] ?? 0;
      const wrong = weight * (1 - (candidate.right[at] ?? 0)) * losses.wrong;
      now +=
        weight * (candidate.cost + (candidate.rejected[at] ?? 0) * losses.rejection) +
        wrong * losses.missedRejection;
      last += wrong * (1 - losses.missedRejection);
    }
  };

  const promising =
    candidates.length <= widest
      ? candidates
      : candidates
          .map((candidate) => {
            weigh(candidate, options.weights);
            return { candidate, loss: now + last };
          })
          .toSorted((a, b) => a.loss - b.loss)
          .slice(0, widest)
          .map(({ candidate }) => candidate);
  const left = Array.from(
    { length: options.attempts },
    () => new Float64Array(options.weights.length),
  );
  const asked = new Uint8Array(promising.length);

  /** Least loss from attempt `depth` on, and who is to be asked there; infinite when nobody is left. */
  const search = (weights: ArrayLike<number>, depth: number): [first: number, loss: number] => {
    let first = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let index = 0; index < promising.length; index++) {
      const candidate = promising[index];
      if (candidate === undefined || asked[index] === 1) continue;
      weigh(candidate, weights);
      if (now >= least) continue;
      const [asking, giveUp] = [now, last];
      const after = left[depth];
      let rest = Number.POSITIVE_INFINITY;
      if (depth + 1 < options.attempts && after !== undefined) {
        for (let at = 0; at < after.length; at++)
          after[at] = (weights[at] ?? 0) * (candidate.rejected[at] ?? 0);
        asked[index] = 1;
        rest = search(after, depth + 1)[1];
        asked[index] = 0;
      }
      const loss = asking + (rest === Number.POSITIVE_INFINITY ? giveUp : rest);
      if (loss >= least) continue;
      least = loss;
      first = index;
    }
    return [first, least];
  };

  const [first, loss] = search(options.weights, 0);
  const candidate = promising[first];
  return candidate === undefined ? undefined : { candidate, loss };
}
