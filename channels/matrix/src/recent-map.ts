/** A map that forgets what was not used for longest. */
export interface RecentMap<Value> {
  readonly get: (key: string) => Value | undefined;
  readonly set: (key: string, value: Value) => void;
  readonly delete: (key: string) => void;
  /** Oldest first. */
  readonly entries: () => readonly (readonly [string, Value])[];
}

export function createRecentMap<Value>(
  maxEntries: number,
  entries: Iterable<readonly [string, Value]> = [],
): RecentMap<Value> {
  const kept = new Map<string, Value>();
  const set = (key: string, value: Value): void => {
    kept.delete(key);
    kept.set(key, value);
    const oldest = kept.size > maxEntries ? kept.keys().next() : undefined;
    if (oldest?.done === false) kept.delete(oldest.value);
  };
  for (const [key, value] of entries) set(key, value);
  return {
    get: (key) => {
      const value = kept.get(key);
      if (value !== undefined) set(key, value);
      return value;
    },
    set,
    delete: (key) => void kept.delete(key),
    entries: () => [...kept],
  };
}
