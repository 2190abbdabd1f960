import type { Database } from "./database.ts";
import type { UsageStore } from "./ports.ts";
import { toStorableKey } from "./storable-text.ts";

export function createUsageStore({ database }: { readonly database: Database }): UsageStore {
  const ofAll = prepareTotal(database, []);
  const ofTime = prepareTotal(database, ["time"]);
  const ofSession = prepareTotal(database, ["session", "time"]);
  return {
    total: async ({ sessionKey, sinceMs }) => {
      const since = sinceMs === undefined ? "" : new Date(sinceMs).toISOString();
      const ofEverybody = since === "" ? ofAll : ofTime;
      const statement = sessionKey === undefined ? ofEverybody : ofSession;
      const [total] = await database.rows(statement, {
        since,
        sessionId: toStorableKey(sessionKey ?? ""),
      });
      return {
        inputTokens: Number(total?.input_tokens ?? 0),
        outputTokens: Number(total?.output_tokens ?? 0),
        cachedInputTokens: Number(total?.cached_input_tokens ?? 0),
        reasoningTokens: Number(total?.reasoning_tokens ?? 0),
        cost: Number(total?.input_cost ?? 0) + Number(total?.output_cost ?? 0),
      };
    },
  };
}

/** Each combination has an index of its own, save the sum of everything. */
function prepareTotal({ prepare }: Database, by: readonly ("session" | "time")[]) {
  return prepare((database, of: { sessionId: string; since: string }) => {
    let rows = database
      .selectFrom("profile_usage")
      .select((row) => [
        row.fn.sum("input_tokens").as("input_tokens"),
        row.fn.sum("output_tokens").as("output_tokens"),
        row.fn.sum("cached_input_tokens").as("cached_input_tokens"),
        row.fn.sum("reasoning_tokens").as("reasoning_tokens"),
        row.fn.sum("input_cost").as("input_cost"),
        row.fn.sum("output_cost").as("output_cost"),
      ]);
    // RFC 3339 in UTC with milliseconds sorts as text.
    if (by.includes("time")) rows = rows.where("created_at", ">=", of.since);
    if (by.includes("session")) rows = rows.where("session_id", "=", of.sessionId);
    return rows;
  });
}
