import type { Clock } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import type { EnrichStep } from "./definition.ts";
import { findField, toText } from "./field-path.ts";
import { parseAnswer } from "./http-call.ts";
import { createRecentKeys } from "./recent-keys.ts";
import type { SessionValues } from "./session-values.ts";
import { renderKnown, type Scope } from "./template.ts";

/**
 * Looks up what a definition wants to know beside the event: keys are `step.field`.
 * @throws ChannelError, DeliveryError when a lookup failed or brought less than it should.
 */
export type EnrichEvent = (scope: Scope) => Promise<ReadonlyMap<string, string>>;

const maxCached = 100_000;

export function createEnrichEvent(
  steps: readonly EnrichStep[],
  values: SessionValues,
  clock: Clock,
): EnrichEvent {
  const cached = createRecentKeys<ReadonlyMap<string, string>>(maxCached, clock);

  const runStep = async (step: EnrichStep, scope: Scope): Promise<ReadonlyMap<string, string>> => {
    const { name, request, extract, cache } = step;
    const key = cache && renderKnown(cache.key, { ...values.scope, ...scope });
    const cacheKey = key === undefined ? undefined : JSON.stringify([name, key]);
    const known = cacheKey === undefined ? undefined : cached.get(cacheKey);
    if (known !== undefined) return known;
    const answer = parseAnswer(await values.call(request, scope));
    const found = new Map<string, string>();
    for (const [field, path] of Object.entries(extract)) {
      const value = toText(findField(answer, path));
      if (value === "") {
        throw new ChannelError("CHANNEL_REFUSED", `enrich step "${name}" brought no "${field}"`);
      }
      found.set(`${name}.${field}`, value);
    }
    if (cacheKey !== undefined) cached.set(cacheKey, found, cache?.ttlMs ?? 0);
    return found;
  };

  return async (scope) => {
    const found = new Map<string, string>();
    for (const step of steps) {
      const inner: Scope = { ...scope, enrich: (key) => found.get(key) };
      for (const [key, value] of await runStep(step, inner)) found.set(key, value);
    }
    return found;
  };
}
