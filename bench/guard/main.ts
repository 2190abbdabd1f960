/** `make bench-guard`: how many tool-call texts the guard leaves intact, what it damages, and what it costs. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { findMeasuredData } from "../../packages/opentalon/src/base/testing/measured-data.ts";
import { neutralise } from "../../packages/opentalon/src/tools/guard/neutralise.ts";
import { printTable } from "../support/print-table.ts";

const repetitions = 50;
const size = 64 * 1_024;

/** Texts of 64 KiB, from plain to hostile: many beginnings of markers, none of which is one. */
const floods: Readonly<Record<string, string>> = {
  "plain words": "the quick brown fox jumps over the lazy dog. ",
  "open brackets": "<",
  "beginnings of markers": "<|tool_",
  "escaped beginnings": "\\u003c",
  "invisible characters": "<\u200b\u200b",
  "nested markers": "<tool_<tool_call>",
  "real markers": '<tool_call>{"name":"x"}</tool_call>',
};

const rows = Object.entries(floods).map(([name, unit]) => {
  const text = unit.repeat(Math.ceil(size / unit.length)).slice(0, size);
  const times = Array.from({ length: repetitions }, () => {
    const startedAt = performance.now();
    neutralise(text);
    return performance.now() - startedAt;
  }).toSorted((a, b) => a - b);
  const at = (share: number): string =>
    `${(times[Math.floor(share * (repetitions - 1))] ?? 0).toFixed(2)} ms`;
  return [name, at(0.5), at(1)];
});
printTable(["64 KiB of", "median", "slowest"], rows);

const data = findMeasuredData();
if (data === undefined) {
  process.stdout.write(
    "\nskipped: the measured tool calls (set OPENTALON_BENCH_DATA to their folder)\n",
  );
} else {
  const adapter = `${process.execPath} --conditions=@opentalon/source ${join(import.meta.dirname, "adapter.ts")}`;
  process.stdout.write("\n");
  const check = spawnSync(process.execPath, [join(data, "guard", "check.mjs"), "--cmd", adapter], {
    stdio: "inherit",
  });
  process.exitCode = check.status ?? 1;
}
