import { createHash } from "node:crypto";
import type { TranscriptTurn } from "./fit-history.ts";

/**
 * Remembers with which turn the history began that a model was sent of a session. Providers cache prompts by their
 * beginning, so one that moved on with every message would be paid for anew each time.
 */
export interface StartMemory {
  /** Position in `turns` of the one remembered; -1 when it is not among them. */
  readonly find: (model: string, sessionKey: string, turns: readonly TranscriptTurn[]) => number;
  readonly keep: (model: string, sessionKey: string, turn: TranscriptTurn) => void;
}

const maxRemembered = 1_000;

export function createStartMemory(): StartMemory {
  const starts = new Map<string, string>();
  const toKey = (model: string, sessionKey: string): string => JSON.stringify([model, sessionKey]);
  return {
    find: (model, sessionKey, turns) => {
      const start = starts.get(toKey(model, sessionKey));
      return start === undefined ? -1 : turns.findIndex((turn) => toMark(turn) === start);
    },
    keep: (model, sessionKey, turn) => {
      const key = toKey(model, sessionKey);
      starts.delete(key);
      starts.set(key, toMark(turn));
      const oldest = starts.keys().next();
      if (starts.size > maxRemembered && oldest.done !== true) starts.delete(oldest.value);
    },
  };
}

function toMark({ messages }: TranscriptTurn): string {
  const hash = createHash("sha256");
  for (const { role, content } of messages) hash.update(`${role} ${content.length} ${content}`);
  return hash.digest("base64");
}
