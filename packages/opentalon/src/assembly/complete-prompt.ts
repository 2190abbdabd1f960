import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Config, Environment } from "../config/load-config.ts";
import type { ModelReply } from "../domain/model.ts";
import { toUsageCost } from "../providers/budgets/pricing.ts";
import { toQueryFeatures } from "../routing/learning/query-features.ts";
import { assembleModels } from "./assemble-models.ts";
import { findNamedModel } from "./find-named-model.ts";

export interface CompletionOptions {
  readonly config: Config;
  /** Of this program; provider plugins get only a few names of it. */
  readonly environment: Environment;
  readonly prompt: string;
  /** Empty for none. */
  readonly system: string;
  /** Name or alias of the model; routing decides when absent. */
  readonly model?: string | undefined;
  readonly signal: AbortSignal;
  /** A piece of the answer. */
  readonly onText: (delta: string) => void;
  /** What `onText` was given so far is void; what follows replaces it. */
  readonly onReset: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Completion {
  readonly reply: ModelReply;
  /** Why the model was asked first, in a few words. */
  readonly reason: string;
  /** USD; 0 where no prices are known. */
  readonly cost: number;
}

/**
 * One answer to one text, by the order of the configuration, over its credentials and fallbacks. Opens no state: nothing
 * is remembered, learnt or booked.
 * @throws ConfigError, ProviderError
 */
export async function completePrompt(options: CompletionOptions): Promise<Completion> {
  const { config, environment, prompt, system, model, signal, onText, onReset } = options;
  const { clock, log } = options;
  await using models = assembleModels({ config, environment, clock, log });
  const { router, callModel } = models;
  await models.settled;
  const named = model === undefined ? undefined : findNamedModel(router, model);
  const route = router.rank({
    override: named?.name,
    pinnedModel: "",
    features: toQueryFeatures({ text: prompt, toolCount: 0, depth: 1 }),
  });
  const reply = await callModel({
    models: route.models,
    request: {
      system,
      messages: [{ role: "user", content: prompt }],
      tools: [],
      sessionKey: "complete",
    },
    signal,
    onText,
    onReset,
    onModel: () => undefined,
  });
  const answered = router.resolve(reply.model);
  const cost = answered === undefined ? undefined : toUsageCost(reply.usage, answered);
  return {
    reply,
    reason: route.reason,
    cost: cost === undefined ? 0 : cost.inputCost + cost.outputCost,
  };
}
