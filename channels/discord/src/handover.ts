import type { IncomingMessage } from "@opentalon/plugin-sdk";

export interface HandoverOptions {
  /** Resolves once the message is safe; rejects when the channel is being stopped. */
  readonly receive: (message: IncomingMessage) => Promise<void>;
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

export function createHandover({ receive, signal }: HandoverOptions): Handover {
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
      const given = receive(message)
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
