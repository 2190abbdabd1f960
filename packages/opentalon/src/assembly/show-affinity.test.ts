import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { parseConfig } from "../config/load-config.ts";
import { createAffinity } from "../routing/learning/affinity.ts";
import { encodeFeatures, toQueryFeatures } from "../routing/learning/query-features.ts";
import { defaultStoreLimits, type Store } from "../store/ports.ts";
import { createSqliteStore } from "../store/sqlite-store.ts";
import { createMessage } from "../store/store.contract.ts";
import { replayRouting } from "./replay-routing.ts";
import { reportRouting } from "./report-routing.ts";
import { resetAffinity, showAffinity } from "./show-affinity.ts";

const features = toQueryFeatures({ text: "How much is 6 times 7?", toolCount: 0, depth: 1 });
const routedModels = [
  { name: "p/small", weight: 90 },
  { name: "p/big", weight: 10 },
];

/** A program with a store of its own, and the configuration both it and the commands read. */
async function createPlace(
  catalog: object = { "p/small": { weight: 90 }, "p/big": { weight: 10 } },
) {
  const dataDirectory = mkdtempSync(join(tmpdir(), "opentalon-affinity-"));
  onTestFinished(() => rmSync(dataDirectory, { recursive: true, force: true }));
  const provider = { base_url: "http://127.0.0.1:9/v1", api_key: "k", models: ["small", "big"] };
  const text = JSON.stringify({
    models: { providers: { p: provider }, catalog },
    state: { data_dir: dataDirectory },
  });
  const { config } = parseConfig({ text, path: "config.yaml", environment: {} });
  const clock = createManualClock(1_790_000_000_000);
  const store = await createSqliteStore({ dataDirectory, clock, limits: defaultStoreLimits });
  onTestFinished(() => store[Symbol.asyncDispose]());
  return { config, clock, store };
}

let count = 0;
/** A judged answer; by default in the same millisecond as the one before. */
async function judge(store: Store, model: string, accepted: boolean): Promise<void> {
  count += 1;
  const id = `answer-${count}`;
  const outcome = await store.inbox.accept(createMessage(id), "console:room");
  if (outcome.kind === "duplicate") throw new Error("seen before");
  const cost = model === "p/big" ? 1 : 0.05;
  const numbers = { inputTokens: 10, outputTokens: 5, cost, strongestCost: 1 };
  const names = { model, strongestModel: "p/big", task: features.task, cause: "weight" };
  await store.commitTurn({
    entry: outcome.entry,
    reply: undefined,
    session: { appended: [] },
    usage: [],
    answers: [{ id, ...names, ...numbers, features: encodeFeatures(features), tried: [] }],
    signals: [{ answerId: id, accepted, weight: 2 }],
  });
}

describe("affinity, seen from beside", () => {
  it("shows whom each kind of task would go to, and changes its mind with what is learnt", async () => {
    const { config, clock, store } = await createPlace();
    const fresh = await showAffinity({ config, clock });
    expect(fresh).toMatchObject({ judgements: 0, choices: ["p/small", "p/big"] });
    expect(fresh.tasks.map(({ first }) => first)).toEqual(Array(6).fill("p/small"));
    for (let at = 0; at < 30; at++) await judge(store, "p/small", false);
    for (let at = 0; at < 10; at++) await judge(store, "p/big", true);
    const { tasks, judgements } = await showAffinity({ config, clock });
    expect(judgements).toBe(40);
    const own = tasks.find(({ task }) => task === features.task);
    expect(own).toMatchObject({ first: "p/big", cause: "learnt", questions: 40 });
    expect(own?.models).toMatchObject([
      { model: "p/small", accepted: 0, rejected: 30 },
      { model: "p/big", accepted: 10, rejected: 0 },
    ]);
    const [small, big] = own?.models.map(({ right }) => right) ?? [];
    expect(small).toBeLessThan(0.5);
    expect(big).toBeGreaterThan(small ?? 1);
    // Whoever looks writes nothing.
    expect(await store.routing.load()).toBeUndefined();
  });

  it("forgets all that was judged before a reset, in the same millisecond too, and nothing after it", async () => {
    const { config, clock, store } = await createPlace();
    await using running = createAffinity({
      models: routedModels,
      store: store.routing,
      decayDays: 30,
      clock,
      log: createSilentLog(),
    });
    await judge(store, "p/small", false);
    clock.advance(600_000);
    for (let at = 0; at < 5; at++) await judge(store, "p/small", false);
    await running.refresh();
    expect(running.learntCount()).toBe(6);
    await resetAffinity({ config, clock });
    await judge(store, "p/small", true);
    await running.refresh();
    expect(running.learntCount()).toBe(1);
    clock.advance(120_000);
    await judge(store, "p/big", true);
    await running.refresh();
    expect(running.learntCount()).toBe(2);
    expect(await showAffinity({ config, clock })).toMatchObject({ judgements: 2 });
    const { total } = await reportRouting({ config, clock });
    expect(total).toMatchObject({ answers: 8, rejected: 6 });
  });

  it("says where there is nothing to choose", async () => {
    const { config, clock } = await createPlace({ "p/small": { weight: 90 } });
    expect(await showAffinity({ config, clock })).toMatchObject({
      choices: ["p/small"],
      tasks: [],
    });
    expect(await replayRouting({ config, clock })).toEqual({
      choices: ["p/small"],
      replay: undefined,
    });
  });
});

describe("the report", () => {
  it("adds up by task and model, and says what was saved", async () => {
    const { config, clock, store } = await createPlace();
    await judge(store, "p/small", true);
    await judge(store, "p/small", false);
    await judge(store, "p/big", true);
    const { rows, total } = await reportRouting({ config, clock });
    expect(rows).toMatchObject([
      { task: features.task, model: "p/big", answers: 1, accepted: 1, rejected: 0, saved: 0 },
      { task: features.task, model: "p/small", answers: 2, accepted: 1, rejected: 1, saved: 0.95 },
    ]);
    expect(total).toMatchObject({ answers: 3, inputTokens: 30, strongestCost: 3 });
    expect(total.saved).toBeCloseTo(1 - 1.1 / 3);
    clock.advance(60_000);
    expect(await reportRouting({ config, clock, sinceMs: clock.now() })).toMatchObject({
      rows: [],
    });
  });

  it("has a replay of the same history", async () => {
    const { config, clock, store } = await createPlace();
    for (let at = 0; at < 12; at++) await judge(store, "p/small", at % 2 === 0);
    const { replay } = await replayRouting({ config, clock });
    expect(replay).toMatchObject({ judgements: 12, total: { questions: 12, acceptedThen: 6 } });
    clock.advance(60_000);
    await judge(store, "p/small", true);
    const { replay: later } = await replayRouting({ config, clock, sinceMs: clock.now() - 1_000 });
    expect(later).toMatchObject({ total: { questions: 1 } });
  });
});
