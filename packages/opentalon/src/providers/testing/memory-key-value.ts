import type { KeyValueStore } from "../../store/ports.ts";

/** Values that outlive what is built on them, and the number of writes. */
export interface MemoryKeyValue extends Pick<KeyValueStore, "get" | "set"> {
  readonly values: Map<string, string>;
  readonly writes: () => number;
}

export function createMemoryKeyValue(): MemoryKeyValue {
  const values = new Map<string, string>();
  let writes = 0;
  return {
    values,
    writes: () => writes,
    get: async (namespace, key) => values.get(`${namespace} ${key}`),
    set: async (namespace, key, value) => {
      writes += 1;
      values.set(`${namespace} ${key}`, value);
    },
  };
}
