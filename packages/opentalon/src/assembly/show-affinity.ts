import type { Clock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import type { Config } from "../config/load-config.ts";
import type { RouteCause } from "../domain/answer.ts";
import { createAffinity, type Affinity } from "../routing/learning/affinity.ts";
import type { TaskType } from "../routing/learning/classify-task.ts";
import { forgetAffinity } from "../routing/learning/forget-affinity.ts";
import {
  decodeFeatures,
  toQueryFeatures,
  type QueryFeatures,
} from "../routing/learning/query-features.ts";
import { readOutcomes } from "../routing/learning/read-outcomes.ts";
import { createRouter, type Choice, type Router } from "../routing/router.ts";
import type { RoutingStore } from "../store/ports.ts";
import { toRoutedModel, toWeights } from "./assemble-routing.ts";
import { createConfiguredRouter } from "./configured-router.ts";
import { openStateBeside } from "./open-state-beside.ts";

export interface AffinityCommandOptions {
  readonly config: Config;
  readonly clock: Clock;
}

/** What is believed of one model at one kind of task. */
export interface ModelAffinity {
  readonly model: string;
  readonly weight: number;
  /** Believed chance that its answer is right, 0 to 1. */
  readonly right: number;
  /** Judgements since the start or the last reset. */
  readonly accepted: number;
  readonly rejected: number;
}

export interface TaskAffinity {
  readonly task: TaskType;
  /** Who would be asked first now. */
  readonly first: string;
  readonly cause: RouteCause;
  /** Recorded questions, the newest ones, that this is the average of; 0: a made-up question stands for all. */
  readonly questions: number;
  readonly models: readonly ModelAffinity[];
}

export interface AffinityView {
  readonly isEnabled: boolean;
  readonly choices: readonly string[];
  /** Judgements since the start or the last reset. */
  readonly judgements: number;
  /** Empty where there is nothing to choose. */
  readonly tasks: readonly TaskAffinity[];
}

/**
 * What was learnt, as it would decide now.
 * @throws StoreError, ConfigError
 */
export async function showAffinity(options: AffinityCommandOptions): Promise<AffinityView> {
  const { config, clock } = options;
  const { enabled: isEnabled, decayDays } = config.routing.affinity;
  const configured = createConfiguredRouter(config);
  const choices = configured.choices();
  const names = choices.map(({ model }) => model.name);
  await using state = await openStateBeside({ config, clock });
  if (choices.length < 2) return { isEnabled, choices: names, judgements: 0, tasks: [] };
  const history = await readHistory(state.routing);
  await using affinity = createAffinity({
    models: choices.map(({ model, weight }) => toRoutedModel(model, weight)),
    store: toReadOnly(state.routing),
    decayDays,
    clock,
    log: createSilentLog(),
    // The middle of what is believed, nothing tried out.
    random: () => 0,
  });
  await affinity.refresh();
  const router = createRouter({
    models: configured.models,
    primary: undefined,
    fallbacks: [],
    aliases: {},
    weights: toWeights(config),
    pins: config.routing.pin,
    affinity: isEnabled ? affinity : undefined,
  });
  const tasks = typicalQuestions.map(([task, features]) => {
    const recorded = history.questions.get(task) ?? [];
    const asked = recorded.length > 0 ? recorded : [features];
    return {
      task,
      ...findFirst(router, asked),
      questions: recorded.length,
      models: toModels(choices, affinity, asked, (model) => history.count(task, model)),
    };
  });
  return { isEnabled, choices: names, judgements: affinity.learntCount(), tasks };
}

/**
 * Forgets what was learnt; reports keep their numbers.
 * @returns where.
 * @throws StoreError, ConfigError
 */
export async function resetAffinity(options: AffinityCommandOptions): Promise<string> {
  await using state = await openStateBeside(options);
  await forgetAffinity(state.routing);
  return state.place;
}

/** Questions of each kind that the view is an average of. */
const mostQuestions = 200;

interface Judged {
  accepted: number;
  rejected: number;
}

/** Judgements since the last reset: an epoch is called by the moment it began. */
async function readHistory(store: RoutingStore) {
  const epoch = (await store.load())?.epoch ?? "";
  const questions = new Map<string, QueryFeatures[]>();
  const counts = new Map<string, Judged>();
  const toKey = (task: string, model: string): string => JSON.stringify([task, model]);
  for await (const { task, model, features, tried, accepted } of readOutcomes(store, epoch)) {
    const key = toKey(task, model);
    const judged = counts.get(key) ?? { accepted: 0, rejected: 0 };
    if (accepted) judged.accepted += 1;
    else judged.rejected += 1;
    counts.set(key, judged);
    const decoded = tried.length > 0 ? undefined : decodeFeatures(features);
    if (decoded === undefined) continue;
    const own = questions.get(task) ?? [];
    own.push(decoded);
    if (own.length > mostQuestions) own.shift();
    questions.set(task, own);
  }
  const count = (task: string, model: string): Judged =>
    counts.get(toKey(task, model)) ?? { accepted: 0, rejected: 0 };
  return { questions, count };
}

/** The snapshot belongs to the running program. */
function toReadOnly(store: RoutingStore): RoutingStore {
  return { ...store, save: async () => false };
}

/** Whom most of the questions would go to. */
function findFirst(
  router: Router,
  questions: readonly QueryFeatures[],
): Pick<TaskAffinity, "first" | "cause"> {
  const votes = new Map<string, { votes: number; cause: RouteCause }>();
  for (const features of questions) {
    const { models, cause } = router.rank({ pinnedModel: "", features });
    const name = models[0]?.name ?? "";
    votes.set(name, { votes: (votes.get(name)?.votes ?? 0) + 1, cause });
  }
  const [most] = [...votes].toSorted(([, a], [, b]) => b.votes - a.votes);
  return { first: most?.[0] ?? "", cause: most?.[1].cause ?? "order" };
}

function toModels(
  choices: readonly Choice[],
  affinity: Affinity,
  questions: readonly QueryFeatures[],
  count: (model: string) => Judged,
): readonly ModelAffinity[] {
  const sums = new Map<string, number>();
  for (const features of questions)
    for (const { model, right } of affinity.chances(features))
      sums.set(model, (sums.get(model) ?? 0) + right);
  return choices.map(({ model: { name }, weight }) => ({
    model: name,
    weight,
    right: (sums.get(name) ?? 0) / questions.length,
    ...count(name),
  }));
}

const longText = "What follows is what we know so far about the case at hand. ".repeat(12);

/** What stands for a kind of task of which nothing is recorded yet. */
const typicalQuestions: readonly (readonly [TaskType, QueryFeatures])[] = (
  [
    ["chat", "What is the capital of Australia?", 1],
    [
      "general",
      "How do I get from the airport to the city?\nI have two suitcases and little money.",
      1,
    ],
    ["code", "Why does this fail?\n```\nfunction add(a, b) {\n  return a - b;\n}\n```", 1],
    ["transform", "Summarise this: the meeting is moved from Monday to Tuesday.", 1],
    ["analysis", `${longText}What does it mean, and what should be done next?`, 1],
    ["deep_conversation", "And what would change if we left that part out?", 15],
  ] as const
).map(([task, text, depth]) => [task, toQueryFeatures({ text, toolCount: 0, depth })]);
