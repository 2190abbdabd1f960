import fc from "fast-check";
import { expect, it } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import type { RoutingOutcome, RoutingSnapshot, RoutingStore } from "../../store/ports.ts";
import { createAffinity, type Affinity } from "./affinity.ts";
import { forgetAffinity } from "./forget-affinity.ts";
import { encodeFeatures, toQueryFeatures } from "./query-features.ts";

const question = toQueryFeatures({ text: "How much is 6 times 7?", toolCount: 0, depth: 1 });
const features = encodeFeatures(question);
const models = [
  { name: "p/small", weight: 90 },
  { name: "p/big", weight: 10 },
];

type Act =
  /** So many judgements, which everybody sees after a while. */
  | { readonly kind: "judge"; readonly count: number; readonly hiddenMs: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "refresh" | "catch-up" | "kill" | "end"; readonly replica: number }
  | { readonly kind: "reset" };

const replica = fc.nat({ max: 1 });
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("judge" as const),
      count: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.constant(400)),
      hiddenMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 59_000 })),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      ms: fc.oneof(fc.integer({ min: 1, max: 9_000 }), fc.integer({ min: 1, max: 90_000 })),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom("refresh" as const, "catch-up" as const),
      replica,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom("kill" as const, "end" as const), replica }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reset" as const) }) },
);
/** The acts of one batch begin together. */
const scripts = fc.array(fc.array(act, { minLength: 1, maxLength: 4 }), { maxLength: 14 });
const pauses = fc.infiniteStream(fc.nat({ max: 3 }));

/** A database whose answers take a while, so that everything may happen in between. */
function createDatabase(pause: () => Promise<void>) {
  const clock = createManualClock(1_750_000_000_000);
  const rows: { readonly outcome: RoutingOutcome; readonly visibleAtMs: number }[] = [];
  let snapshot: RoutingSnapshot | undefined;
  let forgotten: (id: string) => boolean = () => false;
  let epochs = 0;
  const idOf = (ms: number, count = 0): string =>
    `${String(ms).padStart(15, "0")}${String(count).padStart(6, "0")}`;
  const visible = () =>
    rows
      .filter(({ visibleAtMs }) => visibleAtMs <= clock.now())
      .map(({ outcome }) => outcome)
      .toSorted((a, b) => (a.signalId < b.signalId ? -1 : 1));
  const store: RoutingStore = {
    outcomes: async (afterId, limit) => {
      await pause();
      const found = visible().filter(({ signalId }) => signalId > afterId);
      await pause();
      return found.slice(0, limit);
    },
    signalIdAt: (agoMs) => idOf(clock.now() - agoMs),
    totals: async () => [],
    load: async () => {
      await pause();
      const found = snapshot;
      await pause();
      return found;
    },
    save: async (next) => {
      await pause();
      if (snapshot !== undefined && snapshot.epoch !== next.epoch) return false;
      snapshot = next;
      return true;
    },
    restart: async (content) => {
      await pause();
      epochs += 1;
      snapshot = { epoch: `epoch ${epochs}`, content };
      const { through, recent } = JSON.parse(content) as { through: string; recent: string[] };
      const known = new Set(recent);
      forgotten = (id) => id <= through || known.has(id);
    },
  };
  const judge = (count: number, hiddenMs: number): void => {
    for (let index = 0; index < count; index += 1) {
      const outcome: RoutingOutcome = {
        id: `a${rows.length}`,
        model: "p/small",
        task: question.task,
        features,
        tried: [],
        cause: "learnt",
        inputTokens: 1,
        outputTokens: 1,
        cost: 0.1,
        strongestModel: "p/big",
        strongestCost: 1,
        signalId: idOf(clock.now(), rows.length),
        signalledAtMs: clock.now(),
        accepted: index % 2 === 0,
        weight: 1,
      };
      rows.push({ outcome, visibleAtMs: clock.now() + hiddenMs });
    }
  };
  const expected = (): number => visible().filter(({ signalId }) => !forgotten(signalId)).length;
  return { clock, store, judge, expected };
}

it("takes nothing in again that a snapshot of more than one page holds", async () => {
  const { clock, store, judge, expected } = createDatabase(() => Promise.resolve());
  const open = () =>
    createAffinity({ models, store, decayDays: 30, clock, log: createSilentLog() });
  judge(1_500, 0);
  await using before = open();
  await before.refresh();
  await forgetAffinity(store);
  clock.advance(120_000);
  judge(1, 0);
  await using after = open();
  await after.refresh();
  expect(after.learntCount()).toBe(1);
  expect(expected()).toBe(1);
});

it("takes every judgement in once, whatever replicas read, save, reset and lose at the same time", async () => {
  await fc.assert(
    fc.asyncProperty(scripts, pauses, async (script, lengths) => {
      const pause = async (): Promise<void> => {
        const { value } = lengths.next() as { value: number };
        for (let index = 0; index < value; index += 1) await Promise.resolve();
      };
      const { clock, store, judge, expected } = createDatabase(pause);
      const open = () => {
        let isAlive = true;
        const guard =
          <Arguments extends unknown[], Result>(call: (...values: Arguments) => Promise<Result>) =>
          async (...values: Arguments): Promise<Result> => {
            if (!isAlive) return new Promise<Result>(() => undefined);
            return call(...values);
          };
        const own: RoutingStore = {
          ...store,
          outcomes: guard(store.outcomes),
          load: guard(store.load),
          save: guard(store.save),
        };
        const log = createSilentLog();
        const affinity = createAffinity({ models, store: own, decayDays: 30, clock, log });
        return { affinity, kill: () => (isAlive = false) };
      };
      const replicas: { affinity: Affinity; kill: () => void }[] = [open(), open()];
      const run = async (step: Act): Promise<void> => {
        if (step.kind === "judge") return judge(step.count, step.hiddenMs);
        if (step.kind === "wait") return clock.advance(step.ms);
        if (step.kind === "reset") return forgetAffinity(store);
        const one = replicas[step.replica];
        if (one === undefined) return;
        if (step.kind === "refresh") return one.affinity.refresh();
        if (step.kind === "catch-up") return one.affinity.catchUp();
        replicas[step.replica] = open();
        if (step.kind === "end") return one.affinity[Symbol.asyncDispose]();
        one.kill();
      };
      for (const batch of script) {
        // What a killed process began never ends.
        await Promise.race([
          Promise.all(batch.map(run)),
          (async () => {
            for (let index = 0; index < 5_000; index += 1) await Promise.resolve();
          })(),
        ]);
      }
      clock.advance(120_000);
      for (const { affinity } of replicas) await affinity.refresh();
      for (const { affinity } of replicas) expect(affinity.learntCount()).toBe(expected());
    }),
    { numRuns: 100 },
  );
}, 60_000);
