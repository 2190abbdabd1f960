import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createManualClock, type ManualClock } from "../base/clock.ts";
import { defaultStoreLimits, type PluginStateChange, type Store } from "./ports.ts";
import type { StorePlace } from "./store.contract.ts";

const limits = { entries: 5, bytes: 100 };

/** What every engine promises of what plugins keep. */
export function describePluginState(name: string, createPlace: () => Promise<StorePlace>): void {
  describe(`${name}: what plugins keep`, () => {
    let place: StorePlace;
    let clock: ManualClock;
    let store: Store;
    const set = (key: string, value: string, more: Partial<PluginStateChange> = {}, plugin = "p") =>
      store.pluginState.set(plugin, key, { value, limits, ...more });
    const get = (key: string, plugin = "p") => store.pluginState.get(plugin, key);
    const list = (prefix = "", after = "", limit = 10) =>
      store.pluginState.list("p", { prefix, after, limit });

    beforeEach(async () => {
      place = await createPlace();
      clock = createManualClock();
      store = await place.open({ clock, limits: defaultStoreLimits });
    });
    afterEach(async () => {
      await store[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    });

    it("is kept over a restart, apart for each plugin, however names and keys are cut", async () => {
      expect(await set("b/c", "1", {}, "a")).toEqual({ kind: "stored" });
      await set("c", "2", {}, "a/b");
      await set("b/c", "3 \u{1F680}", {}, "a");
      await set("", "empty", {}, "long ".repeat(2_000));
      await store[Symbol.asyncDispose]();
      store = await place.open({ clock, limits: defaultStoreLimits });
      expect(await get("b/c", "a")).toBe("3 \u{1F680}");
      expect(await get("c", "a/b")).toBe("2");
      expect(await get("c", "a")).toBeUndefined();
      expect(await get("", "long ".repeat(2_000))).toBe("empty");
      expect(await store.keyValue.get("a", "b/c")).toBeUndefined();
      expect(await store.pluginState.delete("a", "b/c")).toBe(true);
      expect(await store.pluginState.delete("a", "b/c")).toBe(false);
      expect(await get("b/c", "a")).toBeUndefined();
    });

    it("is changed only from what was expected", async () => {
      expect(await set("k", "1", { expected: "0" })).toEqual({
        kind: "unexpected",
        value: undefined,
      });
      expect(await set("k", "1", { expected: null })).toEqual({ kind: "stored" });
      expect(await set("k", "2", { expected: null })).toEqual({ kind: "unexpected", value: "1" });
      expect(await set("k", "2", { expected: "1" })).toEqual({ kind: "stored" });
      expect(await set("k", "3", { expected: "1" })).toEqual({ kind: "unexpected", value: "2" });
      expect(await get("k")).toBe("2");
    });

    it("counts right when many count at once", async () => {
      const increment = async (): Promise<void> => {
        for (;;) {
          const before = await get("n");
          const value = String(Number(before ?? "0") + 1);
          const outcome = await set("n", value, { expected: before ?? null });
          if (outcome.kind === "stored") return;
        }
      };
      await Promise.all(Array.from({ length: 20 }, increment));
      expect(await get("n")).toBe("20");
    });

    it("ends at its time, for everybody who looks", async () => {
      await set("k", "1", { endsAtMs: clock.now() + 1_000 });
      await set("kept", "1", { endsAtMs: clock.now() + 9_000 });
      clock.advance(999);
      expect(await get("k")).toBe("1");
      clock.advance(1);
      expect(await get("k")).toBeUndefined();
      expect(await list()).toEqual(["kept"]);
      expect(await store.pluginState.delete("p", "k")).toBe(false);
      await set("k", "2", { endsAtMs: clock.now() + 1_000 });
      clock.advance(1_000);
      expect(await set("k", "3", { expected: "2" })).toEqual({
        kind: "unexpected",
        value: undefined,
      });
      expect(await set("k", "3", { expected: null })).toEqual({ kind: "stored" });
      // Without a time it stays.
      clock.advance(100_000_000);
      await store.prune();
      expect(await list()).toEqual(["k"]);
    });

    it("is bounded in number and bytes, each plugin by itself; what has ended makes room", async () => {
      for (const key of ["a", "b", "c", "d"]) await set(key, "1");
      await set("e", "1", { endsAtMs: clock.now() + 1_000 });
      expect(await set("f", "1")).toEqual({ kind: "full" });
      expect(await set("a", "2")).toEqual({ kind: "stored" });
      expect(await set("a", "x".repeat(100))).toEqual({ kind: "full" });
      expect(await get("a")).toBe("2");
      expect(await set("f", "1", {}, "other")).toEqual({ kind: "stored" });
      clock.advance(1_000);
      expect(await set("f", "1")).toEqual({ kind: "stored" });
      expect(await list()).toEqual(["a", "b", "c", "d", "f"]);
      const many = Array.from({ length: 10 }, (_, index) => set(`many${index}`, "", {}, "third"));
      const outcomes = (await Promise.all(many)).map(({ kind }) => kind);
      expect(outcomes.filter((kind) => kind === "stored")).toHaveLength(5);
    });

    it("is listed by prefix, in order, page by page", async () => {
      const roomy = { limits: { entries: 100, bytes: 1_000 } };
      for (const key of ["b", "a_1", "aX1", "a%", "A", "\u{1F680}a", "a"])
        await set(key, "", roomy);
      expect(await list("a")).toEqual(["a", "a%", "aX1", "a_1"]);
      expect(await list("a", "a%", 1)).toEqual(["aX1"]);
      expect(await list("a", "zzz")).toEqual([]);
      expect(await list("\u{1F680}")).toEqual(["\u{1F680}a"]);
    });

    it("is refused when it is too long or no text", async () => {
      const wide = { limits: { entries: 10, bytes: 10_000_000 } };
      await expect(set("k".repeat(513), "")).rejects.toThrow(/513 bytes/);
      await expect(set("k", "x".repeat(1_048_577), wide)).rejects.toThrow(/1048577 bytes/);
      await expect(set("k", "\0", wide)).rejects.toThrow(/base64/);
      await expect(get("\uD800")).rejects.toThrow(/key/);
      expect(await set("k", "x".repeat(1_048_576), wide)).toEqual({ kind: "stored" });
    });
  });
}
