import type { HookRecord } from "../domain/hook.ts";
import type { ModelReply } from "../domain/model.ts";
import type { Turn, TurnObserver } from "../domain/turn.ts";
import type { HookNotes } from "../orchestrator/hook-notes.ts";

/** Keeps what the hooks of the turns under way did, until each turn is finished. */
export interface HookNotebook {
  readonly observe: TurnObserver;
  readonly addReply: (turn: Turn, reply: ModelReply) => void;
  readonly of: (turn: Turn) => HookNotes;
}

/** More steps than anybody would want to read about. */
const maxRecords = 16;

export function createHookNotes(): HookNotebook {
  const records = new Map<string, HookRecord[]>();
  const replies = new Map<string, ModelReply[]>();
  return {
    observe: ({ id }, event) => {
      if (event.kind === "turn-finished") {
        records.delete(id);
        replies.delete(id);
      }
      if (event.kind !== "hook-finished" || event.effect === "unchanged") return;
      const { hook, effect, microseconds } = event;
      const known = records.get(id) ?? [];
      if (known.length < maxRecords) records.set(id, [...known, { hook, effect, microseconds }]);
    },
    addReply: ({ id }, reply) => replies.set(id, [...(replies.get(id) ?? []), reply]),
    of: ({ id }) => ({ records: records.get(id) ?? [], replies: replies.get(id) ?? [] }),
  };
}
