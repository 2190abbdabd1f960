/** A map that forgets the entry nobody has touched for the longest time once it holds more than `maxEntries`. */
export interface RecentMap<Value> {
  /** Touches the entry. */
  readonly get: (key: string) => Value | undefined;
  readonly set: (key: string, value: Value) => void;
  readonly delete: (key: string) => void;
  /** Those untouched for the longest time first. */
  readonly entries: () => readonly (readonly [string, Value])[];
}

export function createRecentMap<Value>(maxEntries: number): RecentMap<Value> {
  // A map of JavaScript keeps the order of insertion: what is touched is inserted anew.
  const entries = new Map<string, Value>();
  return {
    get: (key) => {
      const value = entries.get(key);
      if (value === undefined) return undefined;
      entries.delete(key);
      entries.set(key, value);
      return value;
    },
    set: (key, value) => {
      entries.delete(key);
      entries.set(key, value);
      const [oldest] = entries.size > maxEntries ? entries.keys() : [];
      if (oldest !== undefined) entries.delete(oldest);
    },
    delete: (key) => void entries.delete(key),
    entries: () => [...entries],
  };
}
