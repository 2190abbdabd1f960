import { costBucketCount } from "./query-features.ts";

/** What calls of one model have cost so far: on the whole, and per bucket of task and tools. */
export interface CallCost {
  /** Bucket 0 is the whole; the others follow. */
  readonly mean: Float32Array;
  readonly count: Float32Array;
}

/** Older calls fade once so many were seen, so that a new price shows. */
const memory = 300;
/** So many calls the coarser average counts for where the finer one has few. */
const trust = 5;

export function createCallCost(): CallCost {
  return {
    mean: new Float32Array(costBucketCount + 1),
    count: new Float32Array(costBucketCount + 1),
  };
}

/** Beyond this a number is not a price in any currency, and averages would overflow. */
const highestCost = 1e12;

/** Books one call. What is not a cost is ignored. */
export function bookCost({ mean, count }: CallCost, bucket: number, cost: number): void {
  if (!(cost >= 0 && cost <= highestCost)) return;
  for (const at of [0, bucket + 1]) {
    const calls = Math.min(memory, (count[at] ?? 0) + 1);
    count[at] = calls;
    mean[at] = (mean[at] ?? 0) + (cost - (mean[at] ?? 0)) / calls;
  }
}

/** Average of a call, from a price known beforehand and what was seen; undefined when neither is there. */
export function toMeanCost(
  { mean, count }: CallCost,
  known: number | undefined,
): number | undefined {
  const calls = count[0] ?? 0;
  if (known === undefined) return calls === 0 ? undefined : mean[0];
  return (trust * known + calls * (mean[0] ?? 0)) / (trust + calls);
}

/** Average of a call in one bucket, leaning on `overall` while few were seen there. */
export function toBucketCost({ mean, count }: CallCost, bucket: number, overall: number): number {
  const calls = count[bucket + 1] ?? 0;
  return (trust * overall + calls * (mean[bucket + 1] ?? 0)) / (trust + calls);
}
