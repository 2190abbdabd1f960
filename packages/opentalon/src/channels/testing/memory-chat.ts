import type { ChatMemory } from "../webchat/chat-memory.ts";

/** Keeps nothing beyond the test. */
export function createMemoryChat(): ChatMemory {
  const values = new Map<string, string>();
  return {
    get: async (namespace, key) => values.get(`${namespace}\n${key}`),
    set: async (namespace, key, value) => void values.set(`${namespace}\n${key}`, value),
  };
}
