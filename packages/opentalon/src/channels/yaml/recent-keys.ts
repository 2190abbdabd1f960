import type { Clock } from "../../base/clock.ts";

/** Keys with values that are remembered for a while, the oldest of too many forgotten first. */
export interface RecentKeys<Value> {
  readonly get: (key: string) => Value | undefined;
  readonly set: (key: string, value: Value, ttlMs: number) => void;
}

export function createRecentKeys<Value>(most: number, clock: Clock): RecentKeys<Value> {
  const entries = new Map<string, { readonly value: Value; readonly untilMs: number }>();
  return {
    get: (key) => {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      if (entry.untilMs > clock.now()) return entry.value;
      entries.delete(key);
      return undefined;
    },
    set: (key, value, ttlMs) => {
      entries.delete(key);
      entries.set(key, { value, untilMs: clock.now() + ttlMs });
      const oldest = entries.keys().next();
      if (entries.size > most && oldest.done !== true) entries.delete(oldest.value);
    },
  };
}
