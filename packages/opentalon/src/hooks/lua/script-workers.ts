import type { Clock } from "../../base/clock.ts";
import type { LuaWorker } from "./start-lua-worker.ts";

/**
 * The workers of one script. A call takes an idle one; when all are busy another one is started, so that a script that
 * hangs in one conversation does not keep the others waiting.
 */
export interface ScriptWorkers extends AsyncDisposable {
  /**
   * An idle worker, or the first to become so. Rejects when none can be started, when `signal` aborts, and with a
   * `WaitedTooLongError` after `patienceMs`.
   */
  readonly take: (signal?: AbortSignal) => Promise<LuaWorker>;
  /** Gives it back; one that `isUsable` no longer is ended. */
  readonly giveBack: (worker: LuaWorker, isUsable: boolean) => void;
  readonly count: () => number;
}

export interface ScriptWorkersOptions {
  readonly start: () => LuaWorker;
  readonly maxWorkers: number;
  /** How long a worker may stand idle. */
  readonly idleMs: number;
  /** How long a call waits for a worker: behind a script that hangs, the last of many would wait for hours. */
  readonly patienceMs: number;
  readonly clock: Clock;
}

/** A VM that has grown beyond this is replaced: its memory never becomes smaller. */
const maxIdleBytes = 32 * 1_048_576;

export class WaitedTooLongError extends Error {
  override readonly name = "WaitedTooLongError";
}

interface Waiter {
  readonly resolve: (worker: LuaWorker) => void;
  readonly reject: (error: unknown) => void;
}

export function createScriptWorkers(options: ScriptWorkersOptions): ScriptWorkers {
  const { start, maxWorkers, idleMs, patienceMs, clock } = options;
  const all = new Set<LuaWorker>();
  const idle: { readonly worker: LuaWorker; readonly cancel: () => void }[] = [];
  const waiting = new Set<Waiter>();
  let starting = 0;
  let isClosed = false;

  const settle = (worker: LuaWorker): void => {
    const [waiter] = waiting;
    if (waiter !== undefined) {
      waiting.delete(waiter);
      return waiter.resolve(worker);
    }
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
    let worker: LuaWorker;
    try {
      worker = start();
    } catch (error) {
      return rejectAll(error);
    }
    starting += 1;
    all.add(worker);
    worker.ready.then(
      () => {
        starting -= 1;
        if (isClosed) return;
        settle(worker);
        if (waiting.size > 0) grow();
      },
      (error: unknown) => {
        starting -= 1;
        all.delete(worker);
        rejectAll(error);
      },
    );
  };

  const rejectAll = (error: unknown): void => {
    const given = [...waiting];
    waiting.clear();
    for (const { reject } of given) reject(error);
  };

  const wait = async (signal: AbortSignal | undefined): Promise<LuaWorker> => {
    const { promise, resolve, reject } = Promise.withResolvers<LuaWorker>();
    const waiter: Waiter = { resolve, reject };
    const leave = (reason: unknown): void => {
      if (waiting.delete(waiter)) reject(reason);
    };
    const onAbort = (): void => leave(signal?.reason);
    const cancel = clock.after(patienceMs, () =>
      leave(new WaitedTooLongError(`all its threads were busy for ${patienceMs} ms`)),
    );
    signal?.addEventListener("abort", onAbort, { once: true });
    waiting.add(waiter);
    grow();
    try {
      return await promise;
    } finally {
      cancel();
      signal?.removeEventListener("abort", onAbort);
    }
  };

  const remove = (worker: LuaWorker): void => {
    all.delete(worker);
    void worker.terminate();
  };

  return {
    count: () => all.size,
    take: async (signal) => {
      signal?.throwIfAborted();
      if (isClosed) throw new Error("the scripts are closed");
      const free = idle.pop();
      if (free === undefined) return wait(signal);
      free.cancel();
      return free.worker;
    },
    giveBack: (worker, isUsable) => {
      if (isUsable && !isClosed && worker.memoryBytes() <= maxIdleBytes) return settle(worker);
      remove(worker);
      if (waiting.size > 0) grow();
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      for (const { cancel } of idle) cancel();
      rejectAll(new Error("the scripts are closed"));
      await Promise.all([...all].map((worker) => worker.terminate()));
    },
  };
}
