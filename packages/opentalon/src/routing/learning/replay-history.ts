/**
 * Gets: judged answers of the past, in the order of the judgements. Gives: what a router that starts with nothing would
 * have asked first, against what was asked. Never: calls a model, or guesses what an answer nobody gave would have been.
 */
import { createSeededRandom } from "../../base/seeded-random.ts";
import type { RoutingOutcome } from "../../store/ports.ts";
import { passedOver } from "./affinity.ts";
import { createLearningRouter, type RoutedModel } from "./learning-router.ts";
import { decodeFeatures, type QueryFeatures } from "./query-features.ts";

export interface ReplayOptions {
  /** Oldest first. */
  readonly outcomes: readonly RoutingOutcome[];
  /** What the replayed router chooses from. */
  readonly models: readonly RoutedModel[];
  readonly decayDays: number;
  /** The same seed over the same history gives the same replay. */
  readonly seed?: number;
  /** Parts of the learning curve, each with as many questions. */
  readonly slices?: number;
}

/** Sums over questions; money in USD. */
export interface ReplaySum {
  readonly questions: number;
  /** Questions for which the replay asks first whom the program asked first. */
  readonly agreed: number;
  /** First answers that were accepted, and what they cost: measured. */
  readonly acceptedThen: number;
  readonly costThen: number;
  /**
   * Questions whose replayed choice did answer them then, first or after a rejection, and was judged. Only they tell
   * anything of the replay.
   */
  readonly known: number;
  /** Of the known: what was accepted and paid for the first answer then, and for the answer of the replayed choice. */
  readonly knownAcceptedThen: number;
  readonly knownCostThen: number;
  readonly knownAcceptedNow: number;
  readonly knownCostNow: number;
}

export interface Replay {
  readonly judgements: number;
  readonly total: ReplaySum;
  /** Questions in the order they were judged, in equal parts. */
  readonly curve: readonly ReplaySum[];
}

/** One question, with everybody who answered it and was judged. */
interface Question {
  readonly features: QueryFeatures;
  readonly encoded: string;
  readonly task: string;
  /** Whoever was asked first comes first. */
  readonly answers: RoutingOutcome[];
}

export function replayHistory(options: ReplayOptions): Replay {
  const { outcomes, models, decayDays, seed = 1, slices = 10 } = options;
  const questionOf = groupByQuestion(outcomes);
  let nowMs = outcomes[0]?.signalledAtMs ?? 0;
  const router = createLearningRouter({
    models,
    random: createSeededRandom(seed),
    now: () => nowMs,
    options: { decayDays },
  });

  const met = new Set<Question>();
  const sums: ReplaySum[] = [];
  for (const outcome of outcomes) {
    nowMs = Math.max(nowMs, outcome.signalledAtMs);
    const question = questionOf.get(outcome);
    if (question !== undefined && !met.has(question)) {
      met.add(question);
      sums.push(compare(question, router.decide(question.features).model));
    }
    const features = decodeFeatures(outcome.features);
    if (features === undefined) continue;
    const { model, tried, accepted, weight, signalledAtMs: atMs } = outcome;
    const cost = outcome.cause === passedOver ? undefined : outcome.cost;
    router.learn({ features, model, tried, accepted, cost, weight, atMs });
  }
  const size = Math.max(1, Math.ceil(sums.length / slices));
  const curve = Array.from({ length: Math.ceil(sums.length / size) }, (_, at) =>
    addUp(sums.slice(at * size, (at + 1) * size)),
  );
  return { judgements: outcomes.length, total: addUp(sums), curve };
}

function compare({ answers }: Question, choice: string): ReplaySum {
  const [first] = answers;
  const own = answers.find(({ model }) => model === choice);
  const acceptedThen = first?.accepted === true ? 1 : 0;
  const costThen = first?.cost ?? 0;
  return {
    questions: 1,
    agreed: first?.model === choice ? 1 : 0,
    acceptedThen,
    costThen,
    known: own === undefined ? 0 : 1,
    knownAcceptedThen: own === undefined ? 0 : acceptedThen,
    knownCostThen: own === undefined ? 0 : costThen,
    knownAcceptedNow: own?.accepted === true ? 1 : 0,
    knownCostNow: own?.cost ?? 0,
  };
}

/**
 * The question of each outcome; none for one whose first answer is not among them. A further answer says which models
 * were rejected before it: it belongs to the newest question that has just these behind it, best with the same features.
 */
function groupByQuestion(
  outcomes: readonly RoutingOutcome[],
): ReadonlyMap<RoutingOutcome, Question> {
  const questionOf = new Map<RoutingOutcome, Question>();
  /** Questions whose answers were all rejected so far, by who gave them. */
  const open = new Map<string, Question[]>();
  const close = (key: string, question: Question): void => {
    const others = (open.get(key) ?? []).filter((each) => each !== question);
    if (others.length === 0) open.delete(key);
    else open.set(key, others);
  };
  for (const outcome of outcomes) {
    if (outcome.cause === passedOver) continue;
    const key = JSON.stringify(outcome.tried);
    const question =
      outcome.tried.length === 0 ? toQuestion(outcome) : findQuestion(open.get(key) ?? [], outcome);
    if (question === undefined) continue;
    if (outcome.tried.length > 0) close(key, question);
    question.answers.push(outcome);
    questionOf.set(outcome, question);
    if (outcome.accepted) continue;
    const next = JSON.stringify(question.answers.map(({ model }) => model));
    open.set(next, [...(open.get(next) ?? []).slice(1 - mostOpen), question]);
  }
  // What a person passed over tells of the question too: the replay must not know it before it chooses.
  const ofTurn = new Map([...questionOf].map(([{ id }, question]) => [id, question]));
  for (const outcome of outcomes) {
    const question =
      outcome.cause === passedOver ? ofTurn.get(outcome.id.replace(/-[^-]*$/, "")) : undefined;
    if (question !== undefined) questionOf.set(outcome, question);
  }
  return questionOf;
}

/** Rejected questions that may still be answered again, for each list of models. */
const mostOpen = 100;

function toQuestion({ features: encoded, task }: RoutingOutcome): Question | undefined {
  const features = decodeFeatures(encoded);
  return features === undefined ? undefined : { features, encoded, task, answers: [] };
}

function findQuestion(
  questions: readonly Question[],
  { features, task }: RoutingOutcome,
): Question | undefined {
  return (
    questions.findLast(({ encoded }) => encoded === features) ??
    questions.findLast((question) => question.task === task) ??
    questions.at(-1)
  );
}

const nothing: ReplaySum = {
  questions: 0,
  agreed: 0,
  acceptedThen: 0,
  costThen: 0,
  known: 0,
  knownAcceptedThen: 0,
  knownCostThen: 0,
  knownAcceptedNow: 0,
  knownCostNow: 0,
};

function addUp(sums: readonly ReplaySum[]): ReplaySum {
  return sums.reduce(
    (total, sum) => ({
      questions: total.questions + sum.questions,
      agreed: total.agreed + sum.agreed,
      acceptedThen: total.acceptedThen + sum.acceptedThen,
      costThen: total.costThen + sum.costThen,
      known: total.known + sum.known,
      knownAcceptedThen: total.knownAcceptedThen + sum.knownAcceptedThen,
      knownCostThen: total.knownCostThen + sum.knownCostThen,
      knownAcceptedNow: total.knownAcceptedNow + sum.knownAcceptedNow,
      knownCostNow: total.knownCostNow + sum.knownCostNow,
    }),
    nothing,
  );
}
