/** Lets only some mails be under way at once; servers end connections of whoever opens too many. */
export interface SendQueue {
  /**
   * Runs a task when its turn comes.
   * @throws Error when its turn did not come in time, before anything was done; and what the task throws.
   */
  readonly run: <Result>(task: () => Promise<Result>, signal: AbortSignal) => Promise<Result>;
}

const mostAtOnce = 4;
const longestWaitMs = 4_000;

export function createSendQueue(): SendQueue {
  let running = 0;
  const waiting: (() => void)[] = [];
  const turn = async (signal: AbortSignal): Promise<void> => {
    if (running < mostAtOnce) {
      running += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", giveUp);
      };
      const go = (): void => {
        leave();
        resolve();
      };
      const giveUp = (): void => {
        leave();
        waiting.splice(waiting.indexOf(go), 1);
        reject(new Error("too many mails are being sent; this one was not"));
      };
      const timer = setTimeout(giveUp, longestWaitMs);
      signal.addEventListener("abort", giveUp, { once: true });
      waiting.push(go);
    });
  };
  return {
    run: async (task, signal) => {
      await turn(signal);
      try {
        return await task();
      } finally {
        const next = waiting.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}
