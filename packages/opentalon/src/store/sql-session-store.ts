import type { Database } from "./database.ts";
import type { SessionStore } from "./ports.ts";
import { toStorableKey } from "./storable-text.ts";
import { fromTranscriptRow } from "./transcript-row.ts";

export function createSessionStore({ database }: { readonly database: Database }): SessionStore {
  const { selectPin, selectNewest } = prepareStatements(database);
  return {
    load: async (key, maxMessages) => {
      const id = toStorableKey(key);
      const limit = maxMessages > 0 ? maxMessages : Number.MAX_SAFE_INTEGER;
      const [session] = await database.rows(selectPin, { id });
      if (session === undefined) return { key, messages: [], pinnedModel: "" };
      const rows = await database.rows(selectNewest, { id, limit });
      const messages = rows.toReversed().flatMap((row) => fromTranscriptRow(row) ?? []);
      return { key, messages, pinnedModel: session.active_model };
    },
  };
}

function prepareStatements({ prepare }: Database) {
  return {
    selectPin: prepare((database, is: { id: string }) =>
      database.selectFrom("sessions").select("active_model").where("id", "=", is.id),
    ),
    selectNewest: prepare((database, is: { id: string; limit: number }) =>
      database
        .selectFrom("messages")
        .select(["role", "content", "tool_calls", "tool_call_id", "metadata"])
        .where("session_id", "=", is.id)
        .orderBy("seq", "desc")
        .limit(is.limit),
    ),
  };
}
