import { describe, expect, it } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { createConversationMemory } from "./conversation-memory.ts";
import { createSentMemory } from "./sent-memory.ts";
import { createVolatileMemory } from "./testing/volatile-memory.ts";

const log = createSilentLog();

describe("what a channel remembers of its messages", () => {
  it("outlasts a restart, and is written down some time after it changed", async () => {
    const clock = createManualClock();
    const memory = createVolatileMemory();
    const first = createSentMemory(memory, clock, log);
    first.add("c", "t", "m1");
    expect(await memory.get("sent")).toBeUndefined();
    clock.advance(2_000);
    expect(await memory.get("sent")).toContain("m1");
    first.add("c", "", "m2");
    await first.close();
    const second = createSentMemory(memory, clock, log);
    await second.load();
    expect(second.findThread("c", "m1")).toBe("t");
    expect(second.findThread("c", "m2")).toBe("");
    expect(second.findThread("other", "m1")).toBeUndefined();
    expect([
      second.isOwnThread("c", "t"),
      second.isOwnThread("c", ""),
      second.isOwnThread("d", "t"),
    ]).toEqual([true, false, false]);
    await second.close();
  });

  it("is bounded: the oldest goes, and its thread with its last message", async () => {
    const clock = createManualClock();
    const memory = createVolatileMemory();
    const sent = createSentMemory(memory, clock, log);
    for (let index = 0; index <= 2_001; index += 1)
      sent.add("c", index < 2 ? "old" : "new", `m${index}`);
    expect(sent.findThread("c", "m1")).toBeUndefined();
    expect(sent.findThread("c", "m2")).toBe("new");
    expect([sent.isOwnThread("c", "old"), sent.isOwnThread("c", "new")]).toEqual([false, true]);
    await sent.close();
  });

  it("does without what it cannot read", async () => {
    const memory = createVolatileMemory();
    await memory.set("sent", "{nonsense");
    const sent = createSentMemory(memory, createManualClock(), log);
    await sent.load();
    expect(sent.findThread("c", "m1")).toBeUndefined();
  });
});

describe("what a channel remembers of conversations", () => {
  it("completes messages that come without, over a restart", async () => {
    const clock = createManualClock();
    const memory = createVolatileMemory();
    const first = createConversationMemory(["url"], memory, clock, log);
    first.note("c", { url: "https://a.example", other: "x" });
    first.note("d", { other: "x" });
    await first.close();
    const second = createConversationMemory(["url"], memory, clock, log);
    await second.load();
    expect(second.complete({ conversationId: "c", metadata: { a: "b" } }).metadata).toEqual({
      url: "https://a.example",
      a: "b",
    });
    expect(second.complete({ conversationId: "c", metadata: { url: "own" } }).metadata).toEqual({
      url: "own",
    });
    expect(second.complete({ conversationId: "d", metadata: {} }).metadata).toEqual({});
  });
});
