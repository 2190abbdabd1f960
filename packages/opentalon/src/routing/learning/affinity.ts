import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { RoutingOutcome, RoutingStore } from "../../store/ports.ts";
import {
  createLearningRouter,
  type Decision,
  type LearningRouter,
  type RoutedModel,
} from "./learning-router.ts";
import { decodeFeatures, type QueryFeatures } from "./query-features.ts";

export interface AffinityOptions {
  readonly models: readonly RoutedModel[];
  readonly store: RoutingStore;
  /** Evidence counts a quarter after so many days. */
  readonly decayDays: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Uniform in [0, 1). */
  readonly random?: (() => number) | undefined;
}

/**
 * What is known of which model is good at what. The history in the database is the truth; what is in memory is what came
 * of reading it in order, so that every replica comes to know the same, and a kill loses nothing.
 */
export interface Affinity extends AsyncDisposable {
  readonly decide: (features: QueryFeatures) => Decision;
  readonly next: (features: QueryFeatures, tried: readonly string[]) => string | undefined;
  /** Believed chance of each model, 0 to 1, that its answer is right. */
  readonly chances: LearningRouter["chances"];
  /**
   * Takes in what was judged since the last time, here and by other replicas, also what became visible late, and notices
   * a reset. Never rejects.
   */
  readonly refresh: () => Promise<void>;
  /** Takes in what is younger than all that is known, and reads nothing else. Never rejects. */
  readonly catchUp: () => Promise<void>;
  /** How many judgements were taken in since the start or the last reset. */
  readonly learntCount: () => number;
}

/** What stands in the database besides the history: a state that has taken in a part of it. */
interface Snapshot {
  readonly version: 1;
  readonly router: unknown;
  /** Everything up to here is in it, */
  readonly through: string;
  /** and these, which are younger. */
  readonly recent: readonly string[];
  readonly learnt: number;
}

const batchSize = 1_000;
/** Another replica's judgement may become visible after a younger one of ours, by no more than this. */
export const overlapMs = 60_000;
const signalsPerSnapshot = 200;

/** Creates it knowing nothing; the first `refresh` reads what is stored. */
export function createAffinity(options: AffinityOptions): Affinity {
  const { models, store, decayDays, clock, log, random = Math.random } = options;
  const create = (state: unknown): LearningRouter =>
    createLearningRouter({ models, random, now: clock.now, state, options: { decayDays } });

  let router = create(undefined);
  let epoch: string | undefined;
  let through = "";
  let learnt = 0;
  let unsaved = 0;
  /** Younger than `through` and taken in. */
  let recent = new Set<string>();
  /** The greatest identifier seen so far. */
  let newest = "";
  let isLoaded = false;
  let running: Promise<void> | undefined;
  let queued: Promise<void> | undefined;
  let isWholeDue = true;

  const restore = ({ epoch: stored, content }: { epoch: string; content: string }): void => {
    const snapshot = parseSnapshot(content);
    epoch = stored;
    router = create(snapshot?.router);
    through = snapshot?.through ?? "";
    recent = new Set(snapshot?.recent);
    newest = through;
    learnt = snapshot?.learnt ?? 0;
    unsaved = 0;
  };

  const takeIn = (outcome: RoutingOutcome): void => {
    recent.add(outcome.signalId);
    const features = decodeFeatures(outcome.features);
    if (features === undefined) return;
    const { model, tried, accepted, cost, weight, signalledAtMs: atMs } = outcome;
    const paid = outcome.cause === passedOver ? undefined : cost;
    router.learn({ features, model, tried, accepted, cost: paid, weight, atMs });
    learnt += 1;
    unsaved += 1;
  };

  const settle = (settled: string): void => {
    for (const id of [...recent].toSorted()) {
      if (id > settled) break;
      recent.delete(id);
      if (id > through) through = id;
    }
  };

  const read = async (isWhole: boolean): Promise<void> => {
    if (isWhole) {
      const snapshot = await store.load();
      if (snapshot !== undefined && snapshot.epoch !== epoch) restore(snapshot);
      isLoaded = true;
    }
    // By the time before the look, however long that takes.
    const settled = store.signalIdAt(overlapMs);
    for (let after = isWhole ? through : newest; ;) {
      const outcomes = await store.outcomes(after, batchSize);
      for (const outcome of outcomes) if (!recent.has(outcome.signalId)) takeIn(outcome);
      const last = outcomes.at(-1);
      if (last !== undefined && last.signalId > newest) newest = last.signalId;
      if (last === undefined || outcomes.length < batchSize) break;
      after = last.signalId;
      // What is still to be read must be known until then.
      if (isWhole) settle(after < settled ? after : settled);
    }
    // Only after a look at everything open: what shows up late must not be passed over.
    if (isWhole) settle(settled);
    if (unsaved >= signalsPerSnapshot) await save();
  };

  const save = async (): Promise<void> => {
    const content: Snapshot = {
      version: 1,
      router: router.state(),
      through,
      recent: [...recent],
      learnt,
    };
    epoch ??= firstEpoch;
    // When somebody has reset meanwhile, the next refresh reads what holds now.
    if (await store.save({ epoch, content: JSON.stringify(content) })) unsaved = 0;
  };

  const start = (): Promise<void> => {
    const isWhole = isWholeDue || !isLoaded;
    isWholeDue = false;
    running = read(isWhole)
      .catch((error: unknown) => {
        isWholeDue ||= isWhole;
        log.warn(
          { err: error },
          "what was learnt about models could not be read; going on without",
        );
      })
      .finally(() => {
        running = undefined;
      });
    return running;
  };

  /** One read at a time; whoever asks during one shares the next, since that one may not see what was just committed. */
  const ask = (isWhole: boolean): Promise<void> => {
    isWholeDue ||= isWhole;
    if (queued !== undefined) return queued;
    if (running === undefined) return start();
    queued = running.then(() => {
      queued = undefined;
      return start();
    });
    return queued;
  };

  return {
    decide: (features) => router.decide(features),
    next: (features, tried) => router.next(features, tried),
    chances: (features) => router.chances(features),
    refresh: () => ask(true),
    catchUp: () => ask(false),
    learntCount: () => learnt,
    [Symbol.asyncDispose]: async () => {
      await (queued ?? running);
      if (unsaved === 0) return;
      await save().catch((error: unknown) => {
        log.warn(
          { err: error },
          "what was learnt about models will be read from the history again",
        );
      });
    },
  };
}

/** The cause in the history of a model that a person passed over: it was not asked, and not paid. */
export const passedOver = "passed-over";
const firstEpoch = "0";

/** What `restart` is given to forget all judgements up to `through`, and those of `recent`, which are younger. */
export function createEmptySnapshot(through: string, recent: readonly string[] = []): string {
  const content: Snapshot = { version: 1, router: null, through, recent, learnt: 0 };
  return JSON.stringify(content);
}

function parseSnapshot(content: string): Snapshot | undefined {
  try {
    const value = JSON.parse(content) as Partial<Snapshot> | null;
    const isWhole =
      value?.version === 1 && typeof value.through === "string" && Array.isArray(value.recent);
    return isWhole ? (value as Snapshot) : undefined;
  } catch {
    return undefined;
  }
}
