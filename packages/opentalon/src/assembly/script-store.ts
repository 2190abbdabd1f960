import type { Clock } from "../base/clock.ts";
import type { ScriptStore } from "../hooks/lua/create-lua-scripts.ts";
import type { KeyValueStore } from "../store/ports.ts";

export interface ScriptStoreOptions {
  readonly keyValue: KeyValueStore;
  /** Of one script: a script that makes keys out of messages would fill the disk in time. */
  readonly maxKeys: number;
  readonly clock: Pick<Clock, "now">;
}

/** Counting reads all keys, so a script that goes on setting what it may not is not counted each time. */
const countEveryMs = 10_000;

/** What scripts keep, each in a namespace of its own. A key too many is refused with a `RangeError`. */
export function createScriptStore({ keyValue, maxKeys, clock }: ScriptStoreOptions): ScriptStore {
  /** About how many keys a script has; counted again before anything is refused. */
  const counts = new Map<string, number>();
  /** When a script was found to have no room left. */
  const fullSince = new Map<string, number>();
  const toNamespace = (script: string): string => `lua/${script}`;

  const recount = async (script: string): Promise<number> => {
    const { length } = await keyValue.list(toNamespace(script), "", maxKeys);
    counts.set(script, length);
    return length;
  };

  const requireRoom = async (script: string): Promise<void> => {
    const known = counts.get(script) ?? maxKeys;
    if (known < maxKeys) return;
    const sinceMs = clock.now() - (fullSince.get(script) ?? -countEveryMs);
    if ((sinceMs < 0 || sinceMs >= countEveryMs) && (await recount(script)) < maxKeys) {
      fullSince.delete(script);
      return;
    }
    if (!fullSince.has(script) || sinceMs >= countEveryMs) fullSince.set(script, clock.now());
    throw new RangeError(`a script keeps at most ${maxKeys} keys; set some to nil`);
  };

  return {
    get: (script, key) => keyValue.get(toNamespace(script), key),
    set: async (script, key, value) => {
      const namespace = toNamespace(script);
      if (value === undefined) {
        // Whether there was one is not known; the next count tells.
        fullSince.delete(script);
        return keyValue.delete(namespace, key);
      }
      if ((await keyValue.get(namespace, key)) !== undefined)
        return keyValue.set(namespace, key, value);
      await requireRoom(script);
      counts.set(script, (counts.get(script) ?? 0) + 1);
      return keyValue.set(namespace, key, value);
    },
  };
}
