import type { ChatMemory } from "../webchat/chat-memory.ts";

/** Keeps nothing beyond the test. */
export function createMemoryChat(): ChatMemory {
  const values = new Map<string, string>();
  return {
    get: async (namespace, key) => values.get(`${namespace}\n${key}`),
    set: async (namespace, key, value) => void values.set(`${namespace}\n${key}`, value),
    delete: async (namespace, key) => void values.delete(`${namespace}\n${key}`),
    list: async (namespace, prefix, limit) =>
      [...values.keys()]
        .filter((key) => key.startsWith(`${namespace}\n${prefix}`))
        .map((key) => key.slice(namespace.length + 1))
        .slice(0, limit),
  };
}
