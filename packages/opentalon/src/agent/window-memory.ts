import type { Model } from "../domain/model.ts";
import type { LengthRefusal } from "../domain/request-fitter.ts";

/** What is known of how much each model reads: by configuration, by its refusals and by the tokens it reported. */
export interface WindowMemory {
  /** Tokens of question and answer together; 0 when unknown. */
  readonly windowOf: (model: Model) => number;
  /** Tokens, as we estimate them, that a request may come to; infinite when nobody knows a limit. */
  readonly budgetOf: (model: Model) => number;
  /** What the provider said when it refused a request that was estimated at `estimatedTokens`. */
  readonly refused: (model: Model, estimatedTokens: number, refusal: LengthRefusal) => void;
  /** The model named `model` took a request after it had refused a longer one without saying why. */
  readonly acceptedAfter: (model: string, estimatedTokens: number, refusedTokens: number) => void;
  readonly measured: (model: string, estimatedTokens: number, actualTokens: number) => void;
}

interface Knowledge {
  /** Limit the model named; infinite when it named none. */
  toldTokens: number;
  /** Estimate above which requests were refused; infinite at first. */
  ceilingTokens: number;
  /** Real tokens for each estimated one. */
  ratio: number;
}

/** Share of a context window that stays free: estimates are estimates. */
const windowReserve = 0.05;
/** Share of the window kept for the answer when the model's output limit is not known. */
const outputShare = 0.1;
/** Most of the window that is kept for the answer, whatever the output limit says. */
const maxOutputShare = 0.5;

/** A number in a refusal is foreign text: a small one must not put a model out of use. */
const leastLimit = 512;

/** Weight of the newest measurement. */
const smoothing = 0.3;
const ratioRange = { least: 0.7, most: 4 } as const;
/** Requests below this say more about frames than about texts. */
const leastMeasured = 200;

/** How much of what was refused is tried the next time. */
const cautiousShare = 0.75;

export function createWindowMemory(): WindowMemory {
  const known = new Map<string, Knowledge>();
  const of = (model: string): Knowledge => {
    let knowledge = known.get(model);
    knowledge ??= { toldTokens: Infinity, ceilingTokens: Infinity, ratio: 1 };
    known.set(model, knowledge);
    return knowledge;
  };
  const toWindow = ({ name, contextWindow }: Model): number =>
    Math.min(contextWindow === 0 ? Infinity : contextWindow, of(name).toldTokens);
  const toRatio = (estimatedTokens: number, actualTokens: number): number =>
    Math.min(ratioRange.most, Math.max(ratioRange.least, actualTokens / estimatedTokens));

  return {
    windowOf: (model) => {
      const window = toWindow(model);
      return window === Infinity ? 0 : window;
    },
    budgetOf: (model) => {
      const { ratio, ceilingTokens } = of(model.name);
      const window = toWindow(model);
      if (window === Infinity) return ceilingTokens;
      const wanted = model.maxTokens > 0 ? model.maxTokens : window * outputShare;
      const output = Math.min(wanted, window * maxOutputShare);
      const usable = Math.floor((window * (1 - windowReserve) - output) / ratio);
      return Math.min(ceilingTokens, usable);
    },
    refused: ({ name }, estimatedTokens, { limitTokens, sentTokens }) => {
      const knowledge = of(name);
      if (limitTokens !== undefined && limitTokens >= leastLimit)
        knowledge.toldTokens = Math.min(knowledge.toldTokens, limitTokens);
      if (sentTokens !== undefined && estimatedTokens >= leastMeasured)
        knowledge.ratio = toRatio(estimatedTokens, sentTokens);
    },
    acceptedAfter: (model, estimatedTokens, refusedTokens) => {
      const knowledge = of(model);
      const ceiling = Math.max(estimatedTokens, Math.floor(refusedTokens * cautiousShare));
      knowledge.ceilingTokens = Math.min(knowledge.ceilingTokens, ceiling);
    },
    measured: (model, estimatedTokens, actualTokens) => {
      if (estimatedTokens < leastMeasured || actualTokens <= 0) return;
      const knowledge = of(model);
      knowledge.ratio += smoothing * (toRatio(estimatedTokens, actualTokens) - knowledge.ratio);
    },
  };
}
