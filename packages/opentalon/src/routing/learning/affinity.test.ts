import { describe, expect, it } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import type { RoutingOutcome, RoutingSnapshot, RoutingStore } from "../../store/ports.ts";
import { createAffinity, createEmptySnapshot, passedOver } from "./affinity.ts";
import { encodeFeatures, toQueryFeatures } from "./query-features.ts";

const clock = createManualClock(1_750_000_000_000);
const models = [
  { name: "p/small", weight: 90 },
  { name: "p/big", weight: 10 },
];
const question = toQueryFeatures({ text: "How much is 6 times 7?", toolCount: 0, depth: 1 });

/** A seeded generator, so that what is sampled is the same each time. */
function createRandom(): () => number {
  let state = 42;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The history and the snapshot as a database holds them, for as many replicas as wanted. */
function createHistory() {
  const outcomes: RoutingOutcome[] = [];
  let snapshot: RoutingSnapshot | undefined;
  let reads = 0;
  const idOf = (at: number): string => String(at).padStart(20, "0");
  const store: RoutingStore = {
    outcomes: async (afterId, limit) => {
      reads += 1;
      return outcomes.filter(({ signalId }) => signalId > afterId).slice(0, limit);
    },
    signalIdAt: (agoMs) => idOf(clock.now() - agoMs),
    totals: async () => [],
    load: async () => snapshot,
    save: async (next) => {
      if (snapshot !== undefined && snapshot.epoch !== next.epoch) return false;
      snapshot = next;
      return true;
    },
    restart: async (content) => {
      snapshot = { epoch: `epoch-${clock.now()}`, content };
    },
  };
  const judge = (model: string, accepted: boolean, more: Partial<RoutingOutcome> = {}): void => {
    clock.advance(1);
    outcomes.push({
      id: `a${outcomes.length}`,
      model,
      task: question.task,
      features: encodeFeatures(question),
      tried: [],
      cause: "learnt",
      inputTokens: 10,
      outputTokens: 10,
      cost: model === "p/big" ? 1 : 0.05,
      strongestModel: "p/big",
      strongestCost: 1,
      signalId: idOf(clock.now()),
      signalledAtMs: clock.now(),
      accepted,
      weight: 1,
      ...more,
    });
    outcomes.sort((a, b) => (a.signalId < b.signalId ? -1 : 1));
  };
  const open = () =>
    createAffinity({
      models,
      store,
      decayDays: 30,
      clock,
      log: createSilentLog(),
      random: createRandom(),
    });
  return { store, judge, open, reads: () => reads, snapshot: () => snapshot };
}

const rejectSmall = (judge: (model: string, accepted: boolean) => void, times = 30): void => {
  for (let index = 0; index < times; index += 1) {
    judge("p/small", false);
    judge("p/big", true);
  }
};

describe("affinity", () => {
  it("prefers the model whose answers are accepted once it has read of it", async () => {
    const { judge, open } = createHistory();
    await using affinity = open();
    await affinity.refresh();
    expect(affinity.decide(question).model).toBe("p/small");
    rejectSmall(judge);
    await affinity.refresh();
    expect(affinity.decide(question).model).toBe("p/big");
    expect(affinity.next(question, ["p/small"])).toBe("p/big");
    expect(affinity.learntCount()).toBe(60);
  });

  it("knows the same after a kill, from the history alone", async () => {
    const { judge, open, snapshot } = createHistory();
    rejectSmall(judge, 20);
    const killed = open();
    await killed.refresh();
    expect(snapshot()).toBeUndefined();
    await using next = open();
    await next.refresh();
    expect(next.learntCount()).toBe(40);
    expect(next.decide(question).model).toBe("p/big");
  });

  it("goes on from the snapshot after an orderly end and takes nothing in twice", async () => {
    const { judge, open } = createHistory();
    rejectSmall(judge);
    {
      await using affinity = open();
      await affinity.refresh();
    }
    judge("p/big", true);
    await using affinity = open();
    await affinity.refresh();
    await affinity.refresh();
    expect(affinity.learntCount()).toBe(61);
  });

  it("writes a snapshot now and then, so that a start reads little", async () => {
    const { judge, open, snapshot } = createHistory();
    rejectSmall(judge, 150);
    const killed = open();
    await killed.refresh();
    expect(snapshot()).toBeDefined();
    await using next = open();
    await next.refresh();
    expect(next.learntCount()).toBe(300);
  });

  it("learns what other replicas wrote, also when it shows up late", async () => {
    const { judge, open } = createHistory();
    await using one = open();
    await using two = open();
    rejectSmall(judge);
    await Promise.all([one.refresh(), two.refresh()]);
    const late = { signalId: String(clock.now() - 5_000).padStart(20, "0") };
    judge("p/big", true, late);
    await Promise.all([one.refresh(), two.refresh()]);
    expect([one.learntCount(), two.learntCount()]).toEqual([61, 61]);
  });

  it("forgets everything when another process resets it, and does not bring it back", async () => {
    const { store, judge, open } = createHistory();
    rejectSmall(judge);
    await using affinity = open();
    await affinity.refresh();
    clock.advance(1);
    await store.restart(createEmptySnapshot(store.signalIdAt(0)));
    await affinity.refresh();
    expect(affinity.learntCount()).toBe(0);
    expect(affinity.decide(question).model).toBe("p/small");
    judge("p/small", true);
    await affinity.refresh();
    expect(affinity.learntCount()).toBe(1);
  });

  it("does not take what was never asked for a free call", async () => {
    const { judge, open } = createHistory();
    await using affinity = open();
    for (let index = 0; index < 5; index += 1) judge("p/big", true, { cause: passedOver, cost: 0 });
    await affinity.refresh();
    expect(affinity.decide(question).model).toBe("p/small");
  });

  it("skips what it cannot read, and goes on when the database does not answer", async () => {
    const { store, judge, open } = createHistory();
    judge("p/small", false, { features: "of another version" });
    judge("p/small", true);
    await using affinity = open();
    await affinity.refresh();
    expect(affinity.learntCount()).toBe(1);
    const broken = createAffinity({
      models,
      store: { ...store, load: () => Promise.reject(new Error("gone")) },
      decayDays: 30,
      clock,
      log: createSilentLog(),
    });
    await broken.refresh();
    expect(broken.decide(question).model).toBe("p/small");
  });
});
