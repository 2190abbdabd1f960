import type { Clock } from "../../base/clock.ts";
import type { LuaWorker } from "./start-lua-worker.ts";

/**
 * The workers of one script. A call takes an idle one; when all are busy another one is started, so that a script that
 * hangs in one conversation does not keep the others waiting.
 */
export interface ScriptWorkers extends AsyncDisposable {
  /** An idle worker, or the first to become so. Rejects when none can be started. */
  readonly take: () => Promise<LuaWorker>;
  /** Gives it back; one that `isUsable` no longer is ended. */
  readonly giveBack: (worker: LuaWorker, isUsable: boolean) => void;
  readonly count: () => number;
}

export interface ScriptWorkersOptions {
  readonly start: () => LuaWorker;
  readonly maxWorkers: number;
  /** How long a worker may stand idle. */
  readonly idleMs: number;
  readonly clock: Clock;
}

/** A VM that has grown beyond this is replaced: its memory never becomes smaller. */
const maxIdleBytes = 32 * 1_048_576;

interface Waiter {
  readonly resolve: (worker: LuaWorker) => void;
  readonly reject: (error: unknown) => void;
}

export function createScriptWorkers(options: ScriptWorkersOptions): ScriptWorkers {
  const { start, maxWorkers, idleMs, clock } = options;
  const all = new Set<LuaWorker>();
  const idle: { readonly worker: LuaWorker; readonly cancel: () => void }[] = [];
  const waiting: Waiter[] = [];
  let starting = 0;
  let isClosed = false;

  const settle = (worker: LuaWorker): void => {
    const waiter = waiting.shift();
    if (waiter !== undefined) return waiter.resolve(worker);
    const end = (): void => {
      const at = idle.findIndex((each) => each.worker === worker);
      if (at < 0) return;
      idle.splice(at, 1);
      remove(worker);
    };
    idle.push({ worker, cancel: clock.after(idleMs, end) });
  };

  const grow = (): void => {
    if (isClosed || starting > 0 || all.size >= maxWorkers) return;
    starting += 1;
    const worker = start();
    all.add(worker);
    worker.ready.then(
      () => {
        starting -= 1;
        if (isClosed) return;
        settle(worker);
        if (waiting.length > 0) grow();
      },
      (error: unknown) => {
        starting -= 1;
        all.delete(worker);
        for (const { reject } of waiting.splice(0)) reject(error);
      },
    );
  };

  const remove = (worker: LuaWorker): void => {
    all.delete(worker);
    void worker.terminate();
  };

  return {
    count: () => all.size,
    take: () => {
      const taken = Promise.withResolvers<LuaWorker>();
      const free = idle.pop();
      if (isClosed) taken.reject(new Error("the scripts are closed"));
      else if (free === undefined) {
        waiting.push(taken);
        grow();
      } else {
        free.cancel();
        taken.resolve(free.worker);
      }
      return taken.promise;
    },
    giveBack: (worker, isUsable) => {
      if (isUsable && !isClosed && worker.memoryBytes() <= maxIdleBytes) return settle(worker);
      remove(worker);
      if (waiting.length > 0) grow();
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      for (const { cancel } of idle) cancel();
      for (const { reject } of waiting.splice(0)) reject(new Error("the scripts are closed"));
      await Promise.all([...all].map((worker) => worker.terminate()));
    },
  };
}
