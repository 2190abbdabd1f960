import type { Clock } from "../../base/clock.ts";
import type { ProviderError, ProviderFailureReason } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Model } from "../../domain/model.ts";
import type { Probe } from "./probe-provider.ts";

/** Remembers which models failed, so that calls do not begin with one that will fail again. */
export interface HealthGate extends AsyncDisposable {
  /** The models in the order to try them: as given, but those that are out come last. */
  readonly order: (models: readonly Model[]) => readonly Model[];
  /** An answer came: the model is in again. */
  readonly answered: (model: Model) => void;
  /** A call failed; what says that the model cannot be reached or cannot keep up puts it out. */
  readonly failed: (model: Model, error: ProviderError) => void;
}

export interface HealthGateOptions {
  /** By provider. A provider without a probe is never put out. */
  readonly probes: ReadonlyMap<string, Probe>;
  readonly intervalMs: number;
  /** Good probes in a row after which a model is in again. */
  readonly recoverAfter: number;
  readonly clock: Clock;
  readonly log: Log;
}

const trippingReasons: ReadonlySet<ProviderFailureReason> = new Set([
  "overloaded",
  "unreachable",
  "timed-out",
  "broken-stream",
]);

/** Probes without a call in between after which probing pauses until somebody calls again. */
const maxIdleProbes = 30;
const leastIntervalMs = 100;

/** A provider with models that are out, probed until they are in again. */
interface Watch {
  readonly models: Set<string>;
  goodInRow: number;
  idleProbes: number;
  cancelTimer: (() => void) | undefined;
}

/**
 * Gets: how calls went. Gives: the order in which models are tried. Probes a provider only while one of its models is out
 * and there are calls: as long as all is well it does nothing.
 * Never: takes a model out of the order.
 */
export function createHealthGate(options: HealthGateOptions): HealthGate {
  const { probes, recoverAfter, clock, log } = options;
  const intervalMs = Math.max(leastIntervalMs, options.intervalMs);
  const watches = new Map<string, Watch>();
  const abort = new AbortController();
  const running = new Set<Promise<void>>();

  const isOut = ({ provider, name }: Model): boolean =>
    watches.get(provider)?.models.has(name) === true;

  const schedule = (provider: string, watch: Watch, delayMs: number): void => {
    watch.cancelTimer = clock.after(delayMs, () => {
      const probed = probe(provider, watch).finally(() => running.delete(probed));
      running.add(probed);
    });
  };

  const probe = async (provider: string, watch: Watch): Promise<void> => {
    const isGood = (await probes.get(provider)?.(abort.signal)) ?? false;
    if (abort.signal.aborted || watches.get(provider) !== watch) return;
    watch.goodInRow = isGood ? watch.goodInRow + 1 : 0;
    watch.idleProbes += 1;
    if (watch.goodInRow >= recoverAfter) {
      watches.delete(provider);
      log.info({ provider, models: [...watch.models] }, "models are tried in their order again");
    } else if (watch.idleProbes < maxIdleProbes) schedule(provider, watch, intervalMs);
    else watch.cancelTimer = undefined;
  };

  const stop = (provider: string, watch: Watch): void => {
    watch.cancelTimer?.();
    watches.delete(provider);
  };

  return {
    order: (models) => {
      if (watches.size === 0 || !models.some(isOut)) return models;
      for (const provider of new Set(models.map((model) => model.provider))) {
        const watch = watches.get(provider);
        if (watch === undefined) continue;
        watch.idleProbes = 0;
        if (watch.cancelTimer === undefined) schedule(provider, watch, 0);
      }
      return [...models.filter((model) => !isOut(model)), ...models.filter(isOut)];
    },
    answered: ({ provider, name }) => {
      const watch = watches.get(provider);
      if (watch === undefined || !watch.models.delete(name)) return;
      log.info({ model: name }, "the model answered and is tried in its order again");
      if (watch.models.size === 0) stop(provider, watch);
    },
    failed: ({ provider, name }, { reason }) => {
      if (!trippingReasons.has(reason) || !probes.has(provider) || abort.signal.aborted) return;
      let watch = watches.get(provider);
      if (watch === undefined) {
        watch = { models: new Set(), goodInRow: 0, idleProbes: 0, cancelTimer: undefined };
        watches.set(provider, watch);
        schedule(provider, watch, intervalMs);
      }
      watch.goodInRow = 0;
      if (watch.models.has(name)) return;
      watch.models.add(name);
      log.warn({ model: name, reason }, "the model is out: others are tried before it");
    },
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      for (const [provider, watch] of watches) stop(provider, watch);
      await Promise.all(running);
    },
  };
}
