import { expect, it, vi } from "vitest";
import { createManualClock } from "../base/clock.ts";
import type { KeyValueStore } from "../store/ports.ts";
import { createScriptStore } from "./script-store.ts";

const clock = createManualClock();

function createKeyValue() {
  const kept = new Map<string, string>();
  const list = vi.fn((namespace: string, prefix: string, limit: number) =>
    Promise.resolve(
      [...kept.keys()].filter((key) => key.startsWith(`${namespace} ${prefix}`)).slice(0, limit),
    ),
  );
  const keyValue: KeyValueStore = {
    get: (namespace, key) => Promise.resolve(kept.get(`${namespace} ${key}`)),
    set: (namespace, key, value) => Promise.resolve(void kept.set(`${namespace} ${key}`, value)),
    delete: (namespace, key) => Promise.resolve(void kept.delete(`${namespace} ${key}`)),
    list,
  };
  return { kept, list, keyValue };
}

it("a script keeps so many keys and no more, each as often changed as it likes", async () => {
  const { keyValue, kept, list } = createKeyValue();
  const store = createScriptStore({ keyValue, maxKeys: 3, clock });
  for (const key of ["a", "b", "c", "a", "b", "c"]) await store.set("rule", key, "1");
  expect(list).toHaveBeenCalledTimes(1);
  for (let turn = 0; turn < 3; turn += 1)
    await expect(store.set("rule", "d", "1")).rejects.toThrow("at most 3 keys");
  expect(list).toHaveBeenCalledTimes(2);
  await store.set("rule", "c", "2");
  await store.set("other", "d", "1");
  expect([...kept]).toEqual([
    ["lua/rule a", "1"],
    ["lua/rule b", "1"],
    ["lua/rule c", "2"],
    ["lua/other d", "1"],
  ]);
});

it("keys that were removed make room, and those of before the start count", async () => {
  const { keyValue } = createKeyValue();
  const before = createScriptStore({ keyValue, maxKeys: 2, clock });
  for (const key of ["a", "b"]) await before.set("rule", key, "1");
  const store = createScriptStore({ keyValue, maxKeys: 2, clock });
  await expect(store.set("rule", "c", "1")).rejects.toThrow(RangeError);
  await store.set("rule", "a", undefined);
  await store.set("rule", "c", "1");
  expect(await store.get("rule", "a")).toBeUndefined();
  expect(await store.get("rule", "c")).toBe("1");
});
