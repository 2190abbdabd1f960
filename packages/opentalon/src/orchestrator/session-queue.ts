import type { Clock } from "../base/clock.ts";
import { StoreError } from "../base/errors.ts";
import { createKeyedQueue } from "../base/keyed-queue.ts";
import type { Log } from "../base/log.ts";
import type { Turn } from "../domain/turn.ts";
import type { GatherMessages } from "./gather-messages.ts";
import type { StopRequest } from "./stop-request.ts";

/** Turns of one session one after another, in order of acceptance; sessions side by side. */
export interface SessionQueue {
  /**
   * One that stops (see `isStop`) does not wait: it ends the turn of its session that runs or comes next, and is answered
   * with it; where there is none it is a turn like any other.
   */
  readonly add: (turn: Turn) => void;
  /** Turns waiting or running. */
  readonly size: () => number;
  /** Resolves once nothing runs, and nothing waits but for further messages. */
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
  /** How long a message waits for further ones, from the newest of them on; 0 is not at all. */
  readonly windowMs: number;
  readonly gather: GatherMessages;
  /** Further messages make no difference to it. */
  readonly standsAlone: (turn: Turn) => boolean;
  readonly isStop: (turn: Turn) => boolean;
  readonly clock: Pick<Clock, "now" | "after">;
  readonly log: Log;
}

interface SessionState {
  /** In order; the first ones are due, the last `held` of them wait for further messages. */
  readonly waiting: Turn[];
  held: number;
  heldSinceMs: number;
  cancelTimer: () => void;
  running: RunningTurn | undefined;
  /** Messages that end the next turn. */
  readonly stops: Turn[];
}

interface RunningTurn {
  readonly ending: AbortController;
  readonly stops: Turn[];
  isStopTaken: boolean;
}

/** Somebody who writes without a pause is answered all the same. */
const longestWaitInWindows = 10;

export function createSessionQueue(options: SessionQueueOptions): SessionQueue {
  const { run, concurrency, windowMs, gather, standsAlone, isStop, clock, log } = options;
  const sessions = new Map<string, SessionState>();
  let isStopped = false;
  let isAborted = false;
  const queue = createKeyedQueue({
    concurrency,
    onError: (error) => log.error({ err: error }, "a turn ended outside of its own error handling"),
  });

  const open = (key: string): SessionState => {
    const known = sessions.get(key);
    if (known !== undefined) return known;
    const session: SessionState = {
      waiting: [],
      held: 0,
      heldSinceMs: 0,
      cancelTimer: () => undefined,
      running: undefined,
      stops: [],
    };
    sessions.set(key, session);
    return session;
  };

  /** One task for each turn that became due; tasks whose turn was answered with an earlier one find nothing to do. */
  const release = (key: string, session: SessionState): void => {
    session.cancelTimer();
    const { held } = session;
    session.held = 0;
    for (let count = 0; count < held; count += 1) queue.add(key, () => runNext(key, session));
  };

  const hold = (key: string, session: SessionState, turn: Turn): void => {
    session.waiting.push(turn);
    if (session.held === 0) session.heldSinceMs = clock.now();
    session.held += 1;
    // What was taken over has waited already.
    if (windowMs === 0 || turn.attempt > 1 || standsAlone(turn)) return release(key, session);
    const restMs = session.heldSinceMs + longestWaitInWindows * windowMs - clock.now();
    session.cancelTimer();
    session.cancelTimer = clock.after(Math.min(windowMs, Math.max(0, restMs)), () =>
      release(key, session),
    );
  };

  const askToStop = (running: RunningTurn, stops: readonly Turn[]): void => {
    running.stops.push(...stops);
    const request: StopRequest = {
      kind: "stopped",
      take: () => {
        running.isStopTaken = true;
        return [...running.stops];
      },
    };
    running.ending.abort(request);
  };

  const runNext = async (key: string, session: SessionState): Promise<void> => {
    const head = session.waiting.shift();
    if (head === undefined) return;
    const running: RunningTurn = {
      ending: new AbortController(),
      stops: [],
      isStopTaken: false,
    };
    session.running = running;
    if (session.stops.length > 0) askToStop(running, session.stops.splice(0));
    try {
      const turn = await gather(head, session.waiting);
      const taken = new Set(turn.alongside?.map(({ id }) => id));
      for (let at = session.waiting.length - 1; at >= 0; at -= 1)
        if (taken.has(session.waiting[at]?.id ?? "")) session.waiting.splice(at, 1);
      await run(turn, running.ending.signal);
    } catch (error) {
      explain(head, error);
    } finally {
      session.running = undefined;
      // It came too late for that turn, so it has to be answered by itself, and before what waits.
      const late = running.isStopTaken || isStopped ? [] : running.stops;
      session.waiting.unshift(...late);
      for (const _each of late) queue.add(key, () => runNext(key, session));
      if (session.waiting.length === 0 && session.stops.length === 0) sessions.delete(key);
    }
  };

  const explain = (turn: Turn, error: unknown): void => {
    if (isAborted) return;
    if (error instanceof StoreError && error.code === "STORE_FENCED") {
      log.warn({ trace: turn.id }, "another process has taken this turn over");
      return;
    }
    log.error(
      { err: error, trace: turn.id },
      "a turn could not be committed; its message stays in the inbox until the next start",
    );
  };

  const count = ({ waiting, stops, running }: SessionState): number =>
    waiting.length + stops.length + (running === undefined ? 0 : 1 + running.stops.length);

  return {
    add: (turn) => {
      if (isStopped) return;
      const key = turn.sessionKey;
      const session = open(key);
      const { running } = session;
      if (!isStop(turn) || count(session) === 0) return hold(key, session, turn);
      // A second one while the turn ends is answered with it, unless it has been committed meanwhile.
      if (running !== undefined && !running.isStopTaken) return askToStop(running, [turn]);
      if (session.waiting.length === 0) return hold(key, session, turn);
      session.stops.push(turn);
      release(key, session);
    },
    size: () => [...sessions.values()].reduce((sum, session) => sum + count(session), 0),
    idle: queue.idle,
    stop: () => {
      isStopped = true;
      for (const session of sessions.values()) {
        session.cancelTimer();
        session.waiting.length = 0;
        session.stops.length = 0;
      }
      queue.clear();
    },
    abort: () => {
      isAborted = true;
      for (const { running } of sessions.values()) running?.ending.abort();
    },
  };
}
