/**
 * Runs tasks of one key strictly one after another and tasks of different keys side by side,
 * at most `concurrency` at once. Keys wait their turn in order of arrival.
 */
export interface KeyedQueue {
  /** Appends `task` to the queue of `key`. `task` must not throw; a throw is reported to `onError`. */
  readonly add: (key: string, task: () => Promise<void>) => void;
  /** Tasks waiting or running. */
  readonly size: () => number;
  /** Tasks waiting or running under `key`. */
  readonly sizeOf: (key: string) => number;
  /** Resolves once nothing runs or waits. */
  readonly idle: () => Promise<void>;
  /** Drops what has not started; what runs goes on. */
  readonly clear: () => void;
}

export interface KeyedQueueOptions {
  readonly concurrency: number;
  readonly onError: (error: unknown) => void;
}

export function createKeyedQueue({ concurrency, onError }: KeyedQueueOptions): KeyedQueue {
  const waiting = new Map<string, (() => Promise<void>)[]>();
  const running = new Set<string>();
  let ready: string[] = [];
  let size = 0;
  let idleWaiters: (() => void)[] = [];

  const start = (): void => {
    while (running.size < concurrency) {
      const key = ready.shift();
      if (key === undefined) break;
      const task = waiting.get(key)?.shift();
      if (task === undefined) {
        waiting.delete(key);
        continue;
      }
      running.add(key);
      void run(key, task);
    }
  };

  const run = async (key: string, task: () => Promise<void>): Promise<void> => {
    try {
      await task();
    } catch (error) {
      onError(error);
    }
    size -= 1;
    running.delete(key);
    if ((waiting.get(key)?.length ?? 0) > 0) ready.push(key);
    else waiting.delete(key);
    start();
    notifyIfIdle();
  };

  const notifyIfIdle = (): void => {
    if (size > 0) return;
    const waiters = idleWaiters;
    idleWaiters = [];
    for (const resolve of waiters) resolve();
  };

  return {
    add: (key, task) => {
      size += 1;
      const queue = waiting.get(key);
      if (queue === undefined) {
        waiting.set(key, [task]);
        if (!running.has(key)) ready.push(key);
      } else {
        if (queue.length === 0 && !running.has(key)) ready.push(key);
        queue.push(task);
      }
      start();
    },
    size: () => size,
    sizeOf: (key) => (waiting.get(key)?.length ?? 0) + (running.has(key) ? 1 : 0),
    idle: () =>
      size === 0 ? Promise.resolve() : new Promise((resolve) => idleWaiters.push(resolve)),
    clear: () => {
      for (const queue of waiting.values()) size -= queue.length;
      waiting.clear();
      ready = [];
      notifyIfIdle();
    },
  };
}
