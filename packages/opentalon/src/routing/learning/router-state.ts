import { Buffer } from "node:buffer";
import {
  createBelief,
  fadeBelief,
  ownPriorVariance,
  sharedPriorVariance,
  type Belief,
} from "./belief.ts";
import { createCallCost, type CallCost } from "./call-cost.ts";
import { costBucketCount, featureCount } from "./query-features.ts";

/** What is known about one model. */
export interface ModelMemory {
  readonly belief: Belief;
  readonly cost: CallCost;
  usedAtMs: number;
}

/** All a router has learnt, while it works. */
export interface RouterMemory {
  readonly shared: Belief;
  readonly models: Map<string, ModelMemory>;
  /** Logarithm of how much questions differ in hardness beyond their features. */
  logSpread: number;
  fadedAtMs: number;
}

/** The same as plain JSON; numbers of a belief are 32-bit floats in base64. */
export interface RouterState {
  readonly version: 1;
  readonly fadedAtMs: number;
  readonly logSpread: number;
  readonly shared: StoredBelief;
  readonly models: readonly StoredModel[];
}
interface StoredBelief {
  readonly distance: string;
  readonly variance: string;
}
interface StoredModel extends StoredBelief {
  readonly name: string;
  readonly usedAtMs: number;
  readonly costMean: string;
  readonly costCount: string;
}

/** Models beyond this are forgotten, the longest unused first: the state stays below a megabyte. */
export const mostModels = 48;
const longestName = 256;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export const spreadRange: readonly [number, number] = [-1.5, 1.8];
const clampSpread = (value: number): number =>
  Math.min(spreadRange[1], Math.max(spreadRange[0], value));

export function createMemory(nowMs: number): RouterMemory {
  return {
    shared: createBelief(sharedPriorVariance),
    models: new Map(),
    logSpread: 0,
    fadedAtMs: nowMs,
  };
}

/** Memory of a model, made when it is new; a name too long to keep gets one that is not kept. */
export function rememberModel(memory: RouterMemory, name: string, nowMs: number): ModelMemory {
  const known = memory.models.get(name);
  if (known !== undefined) {
    known.usedAtMs = Math.max(known.usedAtMs, nowMs);
    return known;
  }
  const fresh = { belief: createBelief(ownPriorVariance), cost: createCallCost(), usedAtMs: nowMs };
  if (name.length > longestName) return fresh;
  memory.models.set(name, fresh);
  if (memory.models.size > mostModels) {
    const oldest = [...memory.models].reduce((a, b) => (b[1].usedAtMs < a[1].usedAtMs ? b : a));
    memory.models.delete(oldest[0]);
  }
  return fresh;
}

/** Lets what was learnt fade with time: evidence halves every half of `decayDays`. Works in steps of an hour. */
export function fadeMemory(memory: RouterMemory, nowMs: number, decayDays: number): void {
  const ageMs = nowMs - memory.fadedAtMs;
  if (!(ageMs >= hourMs)) return;
  const keep = 2 ** (-ageMs / dayMs / (decayDays / 2));
  fadeBelief(memory.shared, keep);
  for (const { belief } of memory.models.values()) fadeBelief(belief, keep);
  memory.logSpread *= keep;
  memory.fadedAtMs = nowMs;
}

const toBase64 = (numbers: Float32Array): string =>
  Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength).toString("base64");

export function toRouterState(memory: RouterMemory): RouterState {
  const store = ({ distance, variance }: Belief): StoredBelief => ({
    distance: toBase64(distance),
    variance: toBase64(variance),
  });
  return {
    version: 1,
    fadedAtMs: memory.fadedAtMs,
    logSpread: memory.logSpread,
    shared: store(memory.shared),
    models: [...memory.models].map(([name, { belief, cost, usedAtMs }]) => ({
      name,
      usedAtMs,
      ...store(belief),
      costMean: toBase64(cost.mean),
      costCount: toBase64(cost.count),
    })),
  };
}

function fromBase64(value: unknown, count: number, low: number): Float32Array | undefined {
  if (typeof value !== "string") return undefined;
  const bytes = Buffer.from(value, "base64");
  if (bytes.byteLength !== count * 4) return undefined;
  const numbers = new Float32Array(count);
  new Uint8Array(numbers.buffer).set(bytes);
  return numbers.every((each) => Number.isFinite(each) && each >= low) ? numbers : undefined;
}

function fromStoredBelief(value: StoredBelief, priorVariance: Float32Array): Belief | undefined {
  const distance = fromBase64(value.distance, featureCount, Number.NEGATIVE_INFINITY);
  const variance = fromBase64(value.variance, featureCount, Number.MIN_VALUE);
  if (distance === undefined || variance === undefined) return undefined;
  return { distance, variance, priorVariance };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads a stored state; undefined for anything that is not one of this version. Never throws. */
export function fromRouterState(value: unknown): RouterMemory | undefined {
  if (!isRecord(value) || value["version"] !== 1 || !isRecord(value["shared"])) return undefined;
  const { fadedAtMs, logSpread, models } = value;
  if (typeof fadedAtMs !== "number" || typeof logSpread !== "number") return undefined;
  if (!Number.isFinite(fadedAtMs) || !Number.isFinite(logSpread)) return undefined;
  if (!Array.isArray(models) || models.length > mostModels) return undefined;
  const shared = fromStoredBelief(value["shared"] as unknown as StoredBelief, sharedPriorVariance);
  if (shared === undefined) return undefined;
  const memory: RouterMemory = {
    shared,
    models: new Map(),
    logSpread: clampSpread(logSpread),
    fadedAtMs,
  };
  for (const each of models as unknown[]) {
    if (!isRecord(each) || typeof each["name"] !== "string") return undefined;
    const belief = fromStoredBelief(each as unknown as StoredBelief, ownPriorVariance);
    const mean = fromBase64(each["costMean"], costBucketCount + 1, 0);
    const count = fromBase64(each["costCount"], costBucketCount + 1, 0);
    const usedAtMs = each["usedAtMs"];
    if (belief === undefined || mean === undefined || count === undefined) return undefined;
    if (typeof usedAtMs !== "number" || !Number.isFinite(usedAtMs)) return undefined;
    memory.models.set(each["name"], { belief, cost: { mean, count }, usedAtMs });
  }
  return memory;
}
