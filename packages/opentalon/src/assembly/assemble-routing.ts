import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config/load-config.ts";
import type { AnswerRecord, AnswerSignal } from "../domain/answer.ts";
import type { Model } from "../domain/model.ts";
import type { Session } from "../domain/session.ts";
import type { RankedQuestion, RoutedQuestion, TurnStages } from "../orchestrator/turn-stages.ts";
import { toUsageCost } from "../providers/budgets/pricing.ts";
import { createAffinity, passedOver, type Affinity } from "../routing/learning/affinity.ts";
import type { RoutedModel } from "../routing/learning/learning-router.ts";
import { encodeFeatures, toQueryFeatures } from "../routing/learning/query-features.ts";
import { findReactionTarget } from "../routing/feedback/find-reaction-target.ts";
import { readIntent } from "../routing/feedback/read-intent.ts";
import { createRouter, type Choice, type Router } from "../routing/router.ts";
import type { PostedMessages, RoutedAnswer, RoutingStore } from "../store/ports.ts";

export interface AssembleRoutingOptions {
  readonly config: Config;
  /** Every known model; grows when a provider is found later. */
  readonly models: () => readonly Model[];
  /** Name of the model for all messages for which nobody chose another one. */
  readonly preferred?: string | undefined;
  /** Absent where nothing is to be learnt. */
  readonly store?: RoutingStore | undefined;
  /** Where reactions find the answer they are about; absent: all are about the newest. */
  readonly posted?: PostedMessages | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random?: (() => number) | undefined;
}

/** The part of a turn that decides who is asked, and what is learnt from it. */
export interface Routing
  extends AsyncDisposable, Pick<TurnStages, "readIntent" | "toRouting" | "onJudged"> {
  readonly router: Router;
  readonly rank: (question: RoutedQuestion, toolCount: number) => Promise<RankedQuestion>;
  /** What choosing `model` for a conversation says about its newest answer. */
  readonly judgeByChoice: (model: Model, session: Session) => readonly AnswerSignal[];
}

/** How often what other processes wrote is looked for, at most. */
const refreshIntervalMs = 5_000;
/** How much it counts when a person chooses another model than routing would have. */
const choiceWeight = 2;
/** What a call is taken to read and write before one was paid, in tokens. */
const typicalCall = { inputTokens: 1_000, outputTokens: 300 };

/** Joins pins, weights and what was learnt. */
export function assembleRouting(options: AssembleRoutingOptions): Routing {
  const { config, models, posted, clock } = options;
  const weights = toWeights(config);
  const affinity = createOwnAffinity(options, weights);
  const router = createRouter({
    models,
    primary: config.routing.primary === "" ? undefined : config.routing.primary,
    fallbacks: config.routing.fallbacks,
    aliases: toAliases(config),
    weights,
    pins: config.routing.pin,
    preferred: options.preferred,
    affinity,
  });
  let refreshedAtMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;
  const wait = (read: Promise<void> | undefined): void => {
    const own = (read ?? Promise.resolve()).finally(() => {
      if (reading === own) reading = undefined;
    });
    reading = own;
  };
  const isDue = (): boolean => {
    const ageMs = clock.now() - refreshedAtMs;
    // A clock that was set back says nothing about the age.
    return ageMs >= refreshIntervalMs || ageMs < 0;
  };

  const isStronger = (model: Model, than: string): boolean => {
    const choices = router.choices();
    const weightOf = (name: string): number | undefined =>
      choices.find((choice) => choice.model.name === name)?.weight;
    const [own, other] = [weightOf(model.name), weightOf(than)];
    // How strong a model without a weight is, nobody has said.
    return own !== undefined && other !== undefined && own < other;
  };

  return {
    router,
    readIntent: async ({ message, acceptedAtMs }, session, command) => {
      const target = posted && (await findReactionTarget({ message, session, command }, posted));
      return readIntent({ message, session, command, target, acceptedAtMs });
    },
    rank: async (question, toolCount) => {
      const { text, depth, model, tried, session } = question;
      // What this process itself has just written is always taken in; what others wrote, soon.
      if (isDue()) {
        refreshedAtMs = clock.now();
        wait(affinity?.refresh());
      }
      if (reading !== undefined) await reading;
      const features = toQueryFeatures({ text, toolCount, depth });
      const route = router.rank({
        override: model,
        pinnedModel: session.pinnedModel,
        features,
        tried,
      });
      const isChoice = router.choices().length > 1;
      const encoded = isChoice ? encodeFeatures(features) : "";
      const isOwnChoice = (): boolean =>
        router.rank({ pinnedModel: session.pinnedModel }).cause === "pin";
      // Who has chosen for the conversation already passes over their own choice, and not that of routing.
      const proposed =
        route.cause === "override" && !isOwnChoice() ? router.propose(features) : undefined;
      return { ...question, route, task: features.task, features: encoded, proposed };
    },
    toRouting: (answer, question) => {
      const choices = router.choices();
      if (choices.length < 2) return { answers: [], signals: [] };
      const answers = [toRoutedAnswer(answer, choices)];
      const { proposed, route, turnId, tried } = question;
      const [asked] = route.models;
      // Who asks for a stronger model than routing proposes says that the proposed one would not do.
      if (proposed === undefined || asked === undefined || tried.length > 0)
        return { answers, signals: [] };
      if (!isStronger(asked, proposed.name)) return { answers, signals: [] };
      const id = `${turnId}-passed`;
      answers.push(toPassedOver(id, proposed.name, answer));
      return { answers, signals: [{ answerId: id, accepted: false, weight: choiceWeight }] };
    },
    onJudged: () => wait(affinity?.catchUp()),
    judgeByChoice: (model, { lastAnswer }) => {
      if (lastAnswer === undefined || lastAnswer.isJudged) return [];
      if (!isStronger(model, lastAnswer.model)) return [];
      return [{ answerId: lastAnswer.id, accepted: false, weight: choiceWeight }];
    },
    [Symbol.asyncDispose]: async () => {
      await reading;
      await affinity?.[Symbol.asyncDispose]();
    },
  };
}

/** Nothing is learnt where there is no choice, or where nobody wants it. */
function createOwnAffinity(
  options: AssembleRoutingOptions,
  weights: Readonly<Record<string, number>>,
): Affinity | undefined {
  const { config, models, store, clock, log, random } = options;
  const routed = models()
    .filter(({ name }) => (weights[name] ?? 0) > 0)
    .map((model) => toRoutedModel(model, weights[model.name] ?? 0));
  const { enabled, decayDays } = config.routing.affinity;
  if (!enabled || store === undefined || routed.length < 2) return undefined;
  return createAffinity({ models: routed, store, decayDays, clock, log, random });
}

export function toRoutedModel(model: Model, weight: number): RoutedModel {
  const { inputCost, outputCost } = toUsageCost(typicalCall, model);
  const cost = inputCost + outputCost;
  return { name: model.name, weight, cost: cost > 0 ? cost : undefined };
}

function toRoutedAnswer(answer: AnswerRecord, choices: readonly Choice[]): RoutedAnswer {
  const { id, model, task, features, tried, cause, inputTokens, outputTokens, cost } = answer;
  const strongest = choices.at(-1)?.model;
  const price =
    strongest === undefined || strongest.name === model
      ? cost
      : sumCost(toUsageCost({ inputTokens, outputTokens }, strongest));
  const own = { id, model, task, features, tried, cause, inputTokens, outputTokens, cost };
  return { ...own, strongestModel: strongest?.name ?? model, strongestCost: price };
}

function sumCost({ inputCost, outputCost }: ReturnType<typeof toUsageCost>): number {
  return inputCost + outputCost;
}

function toPassedOver(id: string, model: string, { task, features }: AnswerRecord): RoutedAnswer {
  const unpaid = { inputTokens: 0, outputTokens: 0, cost: 0, strongestModel: "", strongestCost: 0 };
  return { id, model, task, features, tried: [], cause: passedOver, ...unpaid };
}

export function toWeights(config: Config): Readonly<Record<string, number>> {
  const entries = Object.entries(config.models.catalog);
  return Object.fromEntries(entries.map(([name, { weight }]) => [name, weight]));
}

export function toAliases(config: Config): Readonly<Record<string, string>> {
  const entries = Object.entries(config.models.catalog).map(
    ([name, { alias }]) => [alias, name] as const,
  );
  return Object.fromEntries(entries.filter(([alias]) => alias !== ""));
}
