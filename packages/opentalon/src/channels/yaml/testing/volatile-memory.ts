import type { ChannelMemory } from "../written-value.ts";

/** A memory that ends with the test. */
export function createVolatileMemory(): ChannelMemory {
  const values = new Map<string, string>();
  return {
    get: async (key) => values.get(key),
    set: async (key, value) => {
      values.set(key, value);
    },
  };
}
