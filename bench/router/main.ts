/** `make bench-router`: how well the router learns on measured answers of models, and what a decision costs. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { findMeasuredData } from "../../packages/opentalon/src/base/testing/measured-data.ts";
import { createLearningRouter } from "../../packages/opentalon/src/routing/learning/learning-router.ts";
import { toQueryFeatures } from "../../packages/opentalon/src/routing/learning/query-features.ts";
import { printTable } from "../support/print-table.ts";

/** Models from cheap to strong. */
const pools: readonly (readonly string[])[] = [
  [
    "gpt-3.5-turbo-0125",
    "claude-3-haiku-20240307",
    "mistral-large-2407",
    "gpt-4o-2024-08-06",
    "claude-3-5-sonnet-20240620",
  ],
  [
    "Meta-Llama-3-8B-Instruct",
    "Meta-Llama-3-70B-Instruct",
    "mistral-large-2407",
    "gpt-4o-2024-08-06",
  ],
  ["claude-3-haiku-20240307", "claude-3-5-sonnet-20240620", "claude-3-opus-20240229"],
  ["gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06"],
];
const seedsAt = process.argv.indexOf("--seeds");
const seeds = seedsAt < 0 ? "10" : (process.argv[seedsAt + 1] ?? "10");

/** Small generator, so that two runs measure the same. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

let control = 1;

/** Arithmetic that allocates nothing and takes about as long as a decision: its slowest runs are the machine's doing. */
function computeControl(): void {
  for (let step = 0; step < 2_500; step++)
    control = (Math.imul(control, 1_664_525) + 1_013_904_223) >>> 0;
}

function measureCost(): void {
  const random = createRandom(7);
  const words = Array.from({ length: 5_000 }, () => Math.floor(random() * 36 ** 5).toString(36));
  const pick = (): string => words[Math.floor(random() * words.length)] ?? "";
  const models = [90, 70, 50, 30, 10].map((weight) => ({ name: `model-${weight}`, weight }));
  const router = createLearningRouter({ models, random, now: () => 1_700_000_000_000 });
  const signals = 100_000;
  const microseconds: number[] = [];
  const controls: number[] = [];
  for (let signal = 0; signal < signals; signal++) {
    const text = Array.from({ length: 5 + Math.floor(random() * 120) }, pick).join(" ");
    const query = { text, toolCount: signal % 3, depth: 1 + (signal % 14) };
    const startedAt = performance.now();
    const features = toQueryFeatures(query);
    const { model } = router.decide(features);
    microseconds.push((performance.now() - startedAt) * 1_000);
    router.learn({ features, model, tried: [], accepted: random() < 0.8, cost: random() });
    const controlledAt = performance.now();
    computeControl();
    controls.push((performance.now() - controlledAt) * 1_000);
  }
  for (const list of [microseconds, controls]) list.sort((a, b) => a - b);
  const at = (share: number): string =>
    [microseconds, controls]
      .map((list) => `${(list[Math.floor(share * (signals - 1))] ?? 0).toFixed(1)} µs`)
      .join(", plain arithmetic ");
  const bytes = JSON.stringify(router.state()).length;
  printTable(
    ["five models, 100,000 signals", "value"],
    [
      ["decision, p50", at(0.5)],
      ["decision, p99", at(0.99)],
      ["state", `${bytes.toLocaleString("en")} bytes`],
    ],
  );
}

function measureGain(folder: string): void {
  const simulate = (models: readonly string[], more: readonly string[]): readonly string[] => {
    const run = spawnSync(
      process.execPath,
      [
        join(folder, "sim.mjs"),
        "--data",
        "zeroeval.jsonl,bfcl.jsonl",
        "--models",
        models.join(","),
        "--seeds",
        seeds,
        "--policies",
        "cascade,ORACLE per hidden,EXTERNAL",
        "--cmd",
        `${process.execPath} ${join(import.meta.dirname, "adapter.ts")}`,
        ...more,
      ],
      { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] },
    );
    if (run.status !== 0) throw new Error(`the simulator ended with status ${run.status}`);
    const losses = (name: string): string =>
      / (\d+\.\d+) +\d+\.\d+ +\S+%$/.exec(
        run.stdout.split("\n").find((line) => line.startsWith(name)) ?? "",
      )?.[1] ?? "?";
    const gain = /(\S+)%$/.exec(
      run.stdout.split("\n").find((line) => line.startsWith("EXTERNAL")) ?? "",
    )?.[1];
    return [`${gain ?? "?"} %`, losses("EXTERNAL"), losses("cascade")];
  };
  const rows = pools.map((models) => {
    const [gain = "?", loss = "?", cascade = "?"] = simulate(models, []);
    const [first = "?"] = simulate(models, ["--limit", "500"]);
    const [degraded = "?"] = simulate(models, ["--drift", "degrade"]);
    return [models.join(", "), gain, first, degraded, loss, cascade];
  });
  process.stdout.write(
    `\n${seeds} seeds; a rejection costs 1 strong call, a wrong final answer 10. Gain: 0 % is the cascade by weight, ` +
      "100 % the best order per hidden type in hindsight; says nothing where both are nearly the same (last pool).\n\n",
  );
  printTable(
    ["pool, cheap to strong", "gain", "first 500", "cheapest degrades", "loss", "cascade"],
    rows,
  );
}

measureCost();
const data = findMeasuredData();
const folder = data === undefined ? undefined : join(data, "router");
if (folder === undefined || !existsSync(join(folder, "sim.mjs"))) {
  process.stdout.write(
    "\nskipped: the measured answers of models (set OPENTALON_BENCH_DATA to their folder)\n",
  );
} else measureGain(folder);
