import type { IncomingMessage } from "@opentalon/plugin-sdk";
import type { Clock } from "./clock.ts";

export interface HandoverOptions {
  /** Resolves once the message is safe; rejects when the channel is being stopped. */
  readonly receive: (message: IncomingMessage) => Promise<void>;
  readonly clock: Clock;
  /** The channel is being stopped. */
  readonly signal: AbortSignal;
}

/** Hands messages over in order, some at once, and knows up to where they are safe. */
export interface Handover {
  /** Resolves when the next one may come. */
  readonly give: (message: IncomingMessage) => Promise<void>;
  /** Runs `task` once everything given so far is safe; never when the channel is stopped before. */
  readonly whenSafe: (task: () => void) => void;
}

/** Enough that none waits for the way back of another. */
const maxUnderWay = 8;
/** Files included; one message may be larger. */
const maxBytesUnderWay = 32 * 1024 * 1024;
/** Whether a message is safe may get lost on the way back: it is handed over again after this, then after twice this … */
const firstPatienceMs = 120_000;

export function createHandover({ receive, clock, signal }: HandoverOptions): Handover {
  let count = 0;
  let bytes = 0;
  let isStopped = false;
  let safe: Promise<void> = Promise.resolve();
  let waiting: (() => void)[] = [];

  const wake = (): void => {
    const woken = waiting;
    waiting = [];
    for (const resolve of woken) resolve();
  };
  signal.addEventListener("abort", () => {
    isStopped = true;
    wake();
  });

  /** Rejects when the channel is being stopped. */
  const untilSafe = async (message: IncomingMessage): Promise<void> => {
    for (let patienceMs = firstPatienceMs; !signal.aborted; patienceMs *= 2) {
      const waiting = new AbortController();
      const given = receive(message).then(() => true);
      given.catch(() => undefined);
      const patience = clock
        .sleep(patienceMs, AbortSignal.any([signal, waiting.signal]))
        .then(() => false);
      try {
        if (await Promise.race([given, patience])) return;
      } finally {
        waiting.abort();
      }
    }
    throw new Error("the channel is being stopped");
  };

  const isFull = (next: number): boolean =>
    count >= maxUnderWay || (count > 0 && bytes + next > maxBytesUnderWay);

  return {
    give: async (message) => {
      const size = (message.files ?? []).reduce((sum, { data }) => sum + data.byteLength, 0);
      while (isFull(size) && !isStopped) {
        await new Promise<void>((resolve) => void waiting.push(resolve));
      }
      if (isStopped) return;
      count += 1;
      bytes += size;
      const given = untilSafe(message)
        .catch(() => {
          isStopped = true;
        })
        .finally(() => {
          count -= 1;
          bytes -= size;
          wake();
        });
      safe = Promise.all([safe, given]).then(() => undefined);
    },
    whenSafe: (task) => {
      safe = safe.then(() => {
        if (!isStopped) task();
      });
    },
  };
}
