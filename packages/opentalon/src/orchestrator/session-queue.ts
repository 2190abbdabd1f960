import { createBackoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { StoreError } from "../base/errors.ts";
import { createKeyedQueue } from "../base/keyed-queue.ts";
import type { Log } from "../base/log.ts";
import type { Turn } from "../domain/turn.ts";

/** Turns of one session one after another, in order of acceptance; sessions side by side. */
export interface SessionQueue {
  readonly add: (turn: Turn) => void;
  /** Turns waiting or running. */
  readonly size: () => number;
  readonly idle: () => Promise<void>;
  /** Starts nothing more; running turns go on until `abort`. */
  readonly stop: () => void;
  /** Ends running turns; they stay in the inbox and go on after the next start. */
  readonly abort: () => void;
}

export interface SessionQueueOptions {
  /** Runs one turn; rejects only when it could not be committed. `isResumed`: its journal may hold steps already. */
  readonly run: (turn: Turn, isResumed: boolean, signal: AbortSignal) => Promise<void>;
  readonly concurrency: number;
  readonly clock: Clock;
  readonly log: Log;
}

export function createSessionQueue({
  run,
  concurrency,
  clock,
  log,
}: SessionQueueOptions): SessionQueue {
  const aborting = new AbortController();
  const stopping = new AbortController();
  const queue = createKeyedQueue({
    concurrency,
    onError: (error) => log.error({ err: error }, "a turn ended outside of its own error handling"),
  });

  /** A turn whose commit failed is tried again until the database is back; its journal keeps it from doing work twice. */
  const runUntilCommitted = async (turn: Turn): Promise<void> => {
    const backoff = createBackoff({ initialMs: 500, maxMs: 30_000 });
    let isResumed = turn.attempt > 1;
    while (!stopping.signal.aborted) {
      try {
        return await run(turn, isResumed, aborting.signal);
      } catch (error) {
        if (aborting.signal.aborted) return;
        if (error instanceof StoreError && error.code === "STORE_FENCED") {
          return log.warn({ trace: turn.id }, "another process has taken this turn over");
        }
        const waitMs = backoff.nextMs();
        log.error(
          { err: error, trace: turn.id, waitMs },
          "a turn could not be committed and will be tried again",
        );
        isResumed = true;
        await clock.sleep(waitMs, stopping.signal);
      }
    }
  };

  return {
    add: (turn) => {
      if (!stopping.signal.aborted) queue.add(turn.sessionKey, () => runUntilCommitted(turn));
    },
    size: queue.size,
    idle: queue.idle,
    stop: () => {
      stopping.abort();
      queue.clear();
    },
    abort: () => aborting.abort(),
  };
}
