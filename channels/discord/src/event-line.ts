import type { SessionInfo } from "@discordjs/ws";
import type { Clock } from "./clock.ts";
import { explainProblem } from "./explain-problem.ts";

/** Does what an event asks for; tried again for as long as it fails for a reason that passes. */
export type Task = () => Promise<void>;

export interface EventLineOptions {
  /** Arrears are made up for while fewer tasks than this wait. */
  readonly calmBelow: number;
  /** Everything up to here is done. */
  readonly onDone: (sessions: readonly SessionInfo[]) => void;
  /** Something that was left out and has to be made up for; `undefined` when there is nothing. */
  readonly takeArrears: () => Task | undefined;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * The events of the gateway, one after another. It knows no slowing down, so what does not fit is left out: whoever
 * pushes notes it as arrears, which are made up for when there is room again. Until then the connection does not count
 * as further than it was.
 */
export interface EventLine {
  /** Without a task only the place in the connection counts. False: `room` tasks wait already, this one is left out. */
  readonly push: (session: SessionInfo, task?: Task, room?: number) => boolean;
  /** Works until the signal aborts. Never rejects. */
  readonly work: () => Promise<void>;
}

const longestPauseMs = 30_000;

interface Entry {
  session: SessionInfo;
  readonly task: Task | undefined;
}

export function createEventLine(options: EventLineOptions): EventLine {
  const { calmBelow, onDone, takeArrears, clock, log, signal } = options;
  const entries: Entry[] = [];
  /** Where connections are, by shard, while there are arrears. */
  const held = new Map<number, SessionInfo>();
  let wake = (): void => {};

  const run = async (task: Task): Promise<void> => {
    for (let pauseMs = 1_000; !signal.aborted; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        return await task();
      } catch (error) {
        if (signal.aborted) return;
        const { kind, words } = explainProblem(error);
        // The end of the connection says what is wrong with the token.
        if (kind !== "passing") return log(`an event of Discord was passed over: ${words}`);
        log(`an event of Discord waits ${pauseMs / 1_000} s: ${words}`);
        await clock.sleep(pauseMs, signal);
      }
    }
  };

  const settle = (session: SessionInfo | undefined, isBehind: boolean): void => {
    if (session !== undefined) held.set(session.shardId, session);
    if (isBehind || held.size === 0) return;
    onDone([...held.values()]);
    held.clear();
  };

  return {
    push: (session, task, room = Number.POSITIVE_INFINITY) => {
      const hasRoom = task === undefined || entries.length < room;
      const last = entries.findLast((entry) => entry.session.shardId === session.shardId);
      if (task !== undefined && hasRoom) entries.push({ session, task });
      else if (last !== undefined) last.session = session;
      else entries.push({ session, task: undefined });
      wake();
      return hasRoom;
    },
    work: async () => {
      signal.addEventListener("abort", () => wake(), { once: true });
      let arrears = takeArrears();
      while (!signal.aborted) {
        if (arrears !== undefined && entries.length < calmBelow) {
          await run(arrears);
          if (signal.aborted) return;
          arrears = takeArrears();
          settle(undefined, arrears !== undefined);
          continue;
        }
        const entry = entries.shift();
        if (entry === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        if (entry.task !== undefined) await run(entry.task);
        if (signal.aborted) return;
        arrears ??= takeArrears();
        settle(entry.session, arrears !== undefined);
      }
    },
  };
}
