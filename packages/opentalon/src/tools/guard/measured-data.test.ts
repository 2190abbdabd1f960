import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findMeasuredData } from "../../base/testing/measured-data.ts";
import { neutralise } from "./neutralise.ts";

const folder = findMeasuredData();

interface Sample {
  readonly id: string;
  readonly text: string;
  readonly tier?: string;
  readonly kind?: string;
  readonly has_sentinel?: boolean;
}

const read = (name: string): readonly Sample[] =>
  readFileSync(join(folder ?? "", "guard", name), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Sample);

describe.skipIf(folder === undefined)("on measured data (OPENTALON_BENCH_DATA)", () => {
  it("changes every unmistakable tool call of a real model that opens one", () => {
    // Middles and ends of calls stand among them too, which start nothing.
    const samples = read("toolcalls.dev.jsonl").filter(({ tier }) => tier === "A");
    const untouched = samples.filter(({ text }) => neutralise(text) === text);
    expect(untouched.length / samples.length).toBeLessThan(0.05);
  });

  it("leaves legitimate documents byte for byte", () => {
    const benign = read("benign.dev.jsonl").filter(
      (sample) => sample.has_sentinel !== true && sample.kind !== "mention",
    );
    for (const { text } of [...benign, ...read("notinject.jsonl")])
      expect(neutralise(text)).toBe(text);
  });
});
