import type { LuaWorker } from "./start-lua-worker.ts";

/** Hands out workers, a few of which stand ready: whoever needs another one, for whichever script, has it at once. */
export interface SpareWorkers extends AsyncDisposable {
  readonly take: () => LuaWorker;
}

export interface SpareWorkersOptions {
  readonly start: () => LuaWorker;
  readonly count: number;
}

export function createSpareWorkers({ start, count }: SpareWorkersOptions): SpareWorkers {
  const spares: LuaWorker[] = [];
  let isClosed = false;

  /** One after the other, so that they do not slow down one that somebody waits for. */
  const refill = (): void => {
    if (isClosed || spares.length >= count) return;
    let fresh: LuaWorker;
    try {
      fresh = start();
    } catch {
      // No thread can be had now; whoever needs one is told, and the next call tries again.
      return;
    }
    spares.push(fresh);
    fresh.ready.then(refill, () => {
      const at = spares.indexOf(fresh);
      if (at >= 0) spares.splice(at, 1);
    });
  };

  return {
    take: () => {
      const taken = spares.shift() ?? start();
      taken.ready.then(refill, () => undefined);
      return taken;
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      await Promise.all(spares.map((spare) => spare.terminate()));
    },
  };
}
