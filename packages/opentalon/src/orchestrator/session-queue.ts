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
  /** Runs one turn; rejects only when it could not be committed. */
  readonly run: (turn: Turn, signal: AbortSignal) => Promise<void>;
  readonly concurrency: number;
  readonly log: Log;
}

export function createSessionQueue({ run, concurrency, log }: SessionQueueOptions): SessionQueue {
  const aborting = new AbortController();
  let isStopped = false;
  const queue = createKeyedQueue({
    concurrency,
    onError: (error) => log.error({ err: error }, "a turn ended outside of its own error handling"),
  });

  const runOne = async (turn: Turn): Promise<void> => {
    try {
      await run(turn, aborting.signal);
    } catch (error) {
      if (aborting.signal.aborted) return;
      if (error instanceof StoreError && error.code === "STORE_FENCED") {
        log.warn({ trace: turn.id }, "another process has taken this turn over");
        return;
      }
      log.error(
        { err: error, trace: turn.id },
        "a turn could not be committed; its message stays in the inbox until the next start",
      );
    }
  };

  return {
    add: (turn) => {
      if (!isStopped) queue.add(turn.sessionKey, () => runOne(turn));
    },
    size: queue.size,
    idle: queue.idle,
    stop: () => {
      isStopped = true;
      queue.clear();
    },
    abort: () => aborting.abort(),
  };
}
