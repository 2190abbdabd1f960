import { setImmediate as nextTick } from "node:timers/promises";
import type { Clock } from "../patience.ts";

/** A clock whose pauses are over at once and count as passed. */
export interface SkippingClock extends Clock {
  readonly pausesMs: readonly number[];
  readonly advance: (byMs: number) => void;
}

export function createSkippingClock(): SkippingClock {
  const pausesMs: number[] = [];
  let skippedMs = 0;
  return {
    pausesMs,
    advance: (byMs) => {
      skippedMs += byMs;
    },
    nowMs: () => Date.now() + skippedMs,
    sleep: async (durationMs) => {
      pausesMs.push(durationMs);
      skippedMs += durationMs;
      await nextTick();
    },
  };
}
