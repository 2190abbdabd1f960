import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createLearningRouter,
  type LearningRouter,
  type RoutedModel,
  type RouterOutcome,
} from "./learning-router.ts";
import {
  decodeFeatures,
  encodeFeatures,
  toQueryFeatures,
  type QueryFeatures,
} from "./query-features.ts";
import { mostModels } from "./router-state.ts";

const models: readonly RoutedModel[] = [
  { name: "cheap", weight: 90, cost: 0.01 },
  { name: "middle", weight: 50, cost: 0.2 },
  { name: "strong", weight: 10, cost: 1 },
];
const code = toQueryFeatures({
  text: "```\nconst x = 1\n```\nwhy?",
  toolCount: 0,
  depth: 1,
});
const chat = toQueryFeatures({ text: "how are you today?", toolCount: 0, depth: 1 });
const dayMs = 86_400_000;

function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const create = (more: Partial<Parameters<typeof createLearningRouter>[0]> = {}): LearningRouter =>
  createLearningRouter({ models, random: createRandom(1), now: () => 1_700_000_000_000, ...more });

/** Asks `query` again and again; `isRight` says which model can do it. */
function teach(
  router: LearningRouter,
  features: QueryFeatures,
  isRight: (model: string) => boolean,
  times = 60,
): string[] {
  return Array.from({ length: times }, () => {
    const first = router.decide(features).model;
    const tried: string[] = [];
    for (let model: string | undefined = first; model !== undefined;) {
      const accepted = isRight(model);
      router.learn({ features, model, tried, accepted });
      tried.push(model);
      model = accepted ? undefined : router.next(features, tried);
    }
    return first;
  });
}
const toText = (router: LearningRouter): string => JSON.stringify(router.state());
const last = (chosen: readonly string[]): string[] => [...new Set(chosen.slice(-10))];

describe("learning router", () => {
  it("starts with the cheapest model", () => expect(create().decide(chat).model).toBe("cheap"));

  it("stays with the cheapest model while all are equally good", () =>
    expect(last(teach(create(), chat, () => true))).toEqual(["cheap"]));

  it("asks another model after a rejection, each once, three at most", () => {
    const router = create({ models: [...models, { name: "fourth", weight: 30 }] });
    const tried: string[] = [];
    for (let model: string | undefined = router.decide(chat).model; model !== undefined;) {
      tried.push(model);
      model = router.next(chat, tried);
    }
    expect(tried).toHaveLength(3);
    expect(new Set(tried).size).toBe(3);
  });

  it("learns for which kind of question the cheapest model fails, and only for that", () => {
    const router = create();
    for (let round = 0; round < 6; round++) {
      teach(router, code, (model) => model !== "cheap", 10);
      teach(router, chat, () => true, 10);
    }
    expect(last(teach(router, code, (model) => model !== "cheap"))).not.toContain("cheap");
    expect(last(teach(router, chat, () => true))).toEqual(["cheap"]);
  });

  it("comes back to a model that got better, and leaves one that got worse", () => {
    const router = create();
    expect(last(teach(router, chat, () => true))).toEqual(["cheap"]);
    expect(last(teach(router, chat, (model) => model !== "cheap"))).not.toContain("cheap");
  });

  it("decides the same from the same seed", () => {
    const run = (): string[] => teach(create(), code, (model) => model === "strong");
    expect(run()).toEqual(run());
  });

  it("decides the same after its state went through JSON", () => {
    const router = create();
    teach(router, code, (model) => model === "strong");
    const state: unknown = JSON.parse(JSON.stringify(router.state()));
    const choose = (): string[] => {
      const restored = create({ state, random: createRandom(5) });
      return teach(restored, code, (model) => model === "middle", 20);
    };
    const direct = create({ state: router.state(), random: createRandom(5) });
    expect(choose()).toEqual(teach(direct, code, (model) => model === "middle", 20));
    expect(toText(create({ state })) === toText(router)).toBe(true);
  });

  it("does not hand out its own memory as state", () => {
    const router = create();
    const state = router.state();
    const before = JSON.stringify(state);
    teach(router, chat, () => false, 3);
    expect(JSON.stringify(state) === before).toBe(true);
    expect(toText(router) === before).toBe(false);
  });

  it("starts anew from a state it cannot read", () => {
    for (const state of [null, 1, "x", [], {}, { version: 2 }, { ...create().state(), shared: {} }])
      expect(create({ state }).decide(chat).model).toBe("cheap");
  });

  it("ignores a model it does not know, as outcome and as tried", () => {
    const router = create();
    const before = toText(router);
    router.learn({ features: chat, model: "gone", tried: [], accepted: true });
    expect(toText(router) === before).toBe(true);
    expect(["cheap", "middle", "strong"]).toContain(router.next(chat, ["gone"]));
  });

  it("keeps what it knows of a model that leaves and comes back", () => {
    const router = create();
    teach(router, code, (model) => model !== "cheap");
    const without = create({ models: models.slice(1), state: router.state() });
    teach(without, chat, () => true, 5);
    const again = create({ state: without.state() });
    expect(again.decide(code).model).not.toBe("cheap");
  });

  it("works with one model, and refuses none", () => {
    const router = create({ models: [{ name: "only", weight: 50 }] });
    expect(router.decide(chat)).toMatchObject({ model: "only", reason: "the only model" });
    expect(router.next(chat, ["only"])).toBeUndefined();
    expect(() => create({ models: [] })).toThrow("at least one model");
  });

  it("learns costs that nobody told it", () => {
    const router = create({
      models: [
        { name: "a", weight: 50 },
        { name: "b", weight: 50 },
      ],
    });
    for (let times = 0; times < 30; times++)
      for (const [model, cost] of [
        ["a", 1],
        ["b", 0.01],
      ] as const)
        router.learn({ features: chat, model, tried: [], accepted: true, cost });
    expect(last(teach(router, chat, () => true, 20))).toEqual(["b"]);
  });

  it("forgets with time", () => {
    let nowMs = 1_700_000_000_000;
    const router = create({ now: () => nowMs });
    teach(router, code, (model) => model !== "cheap");
    expect(router.decide(code).model).not.toBe("cheap");
    nowMs += 300 * dayMs;
    expect(router.decide(code).model).toBe("cheap");
  });

  it("keeps its state below a megabyte, however many models come and go", () => {
    let state: unknown;
    for (let round = 0; round < 3 * mostModels; round++) {
      const router = create({ models: [{ name: `model-${round}`, weight: 50 }], state });
      router.learn({ features: chat, model: `model-${round}`, tried: [], accepted: true, cost: 1 });
      state = router.state();
    }
    expect(JSON.stringify(state).length).toBeLessThan(1_000_000);
  });

  it("knows the same after a replay of outcomes that were stored without their text", () => {
    const outcomes: RouterOutcome[] = [];
    const router = create();
    for (let round = 0; round < 30; round++)
      for (const features of [code, chat]) {
        const { model } = router.decide(features);
        const accepted = features === chat || model !== "cheap";
        const outcome = { features, model, tried: [], accepted, cost: 0.1 };
        router.learn(outcome);
        outcomes.push(outcome);
      }
    const replica = create({ random: createRandom(9) });
    for (const outcome of outcomes) {
      const features = decodeFeatures(encodeFeatures(outcome.features));
      if (features !== undefined) replica.learn({ ...outcome, features });
    }
    const choose = (state: unknown): string[] => {
      const restored = create({ state, random: createRandom(5) });
      return [code, chat, code, chat].map((features) => restored.decide(features).model);
    };
    expect(choose(replica.state())).toEqual(choose(router.state()));
    expect(choose(replica.state())).not.toEqual(choose(undefined));
  });

  it("moves further by a strong signal, and not without bounds", () => {
    const confidenceAfter = (weight: number | undefined): number => {
      const router = create({ models: models.slice(0, 1) });
      router.learn({ features: chat, model: "cheap", tried: [], accepted: false, weight });
      return router.decide(chat).confidence;
    };
    expect(confidenceAfter(3)).toBeLessThan(confidenceAfter(1));
    expect(confidenceAfter(undefined)).toBe(confidenceAfter(1));
    expect(confidenceAfter(1e9)).toBe(confidenceAfter(10));
    expect(confidenceAfter(Number.NaN)).toBe(confidenceAfter(1));
    expect(confidenceAfter(-5)).toBe(confidenceAfter(0));
  });

  it("learns at the time of the signal, never before what it knows nor after now", () => {
    let nowMs = 1_700_000_000_000;
    const router = create({ now: () => nowMs });
    const [startMs, outcome] = [
      nowMs,
      { features: chat, model: "cheap", tried: [], accepted: true },
    ];
    nowMs += 40 * dayMs;
    router.learn({ ...outcome, atMs: startMs + 10 * dayMs });
    expect(router.state().fadedAtMs).toBe(startMs + 10 * dayMs);
    router.learn({ ...outcome, atMs: startMs });
    expect(router.state().fadedAtMs).toBe(startMs + 10 * dayMs);
    router.learn({ ...outcome, atMs: startMs + 4_000 * dayMs });
    expect(router.state().fadedAtMs).toBe(nowMs);
  });

  it("answers with a known model and stays finite, whatever it is told", () => {
    const query = fc.record({
      text: fc.string({ unit: "binary", maxLength: 3_000 }),
      toolCount: fc.oneof(fc.nat(), fc.constant(Number.NaN), fc.constant(-1)),
      depth: fc.oneof(fc.nat(), fc.constant(Number.NaN), fc.constant(-1)),
    });
    const signal = fc.record({
      query,
      accepted: fc.boolean(),
      cost: fc.oneof(fc.double(), fc.constant(undefined)),
      tried: fc.subarray(["cheap", "middle", "gone"]),
    });
    fc.assert(
      fc.property(fc.array(signal, { maxLength: 30 }), (signals) => {
        const router = create();
        for (const { query, accepted, cost, tried } of signals) {
          const features = toQueryFeatures(query);
          const { model, confidence } = router.decide(features);
          expect(models.map(({ name }) => name)).toContain(model);
          expect(confidence).toBeGreaterThanOrEqual(0);
          expect(confidence).toBeLessThanOrEqual(1);
          router.learn({ features, model, tried, accepted, cost });
          expect(tried).not.toContain(router.next(features, tried));
        }
        expect(toText(create({ state: router.state() })) === toText(router)).toBe(true);
      }),
    );
  });
});
