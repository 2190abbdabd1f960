import type { AnswerRecord } from "../domain/answer.ts";
import type { Database } from "./database.ts";
import type { Session } from "../domain/session.ts";
import type { SessionStore, StoreLimits } from "./ports.ts";
import { toStorableKey } from "./storable-text.ts";
import { findOldestKept, sumKeptBytes } from "./transcript-files.ts";
import { fromTranscriptRow, readStoredFiles } from "./transcript-row.ts";

export interface SessionStoreOptions {
  readonly database: Database;
  readonly limits: Pick<StoreLimits, "maxSessionFileBytes">;
}

export function createSessionStore({ database, limits }: SessionStoreOptions): SessionStore {
  const { selectPin, selectNewest, selectFiles } = prepareStatements(database);

  /** Bytes of the newest files, by the number of their message; the others stay where they are, unread. */
  const loadFiles = async (
    id: string,
    newest: readonly { readonly seq: number; readonly fileBytes: number }[],
  ): Promise<ReadonlyMap<number, Uint8Array>> => {
    const from = findOldestKept(newest, limits.maxSessionFileBytes);
    if (from === undefined) return new Map();
    const rows = await database.rows(selectFiles, { id, from });
    return new Map(rows.flatMap(({ seq, files }) => (files === null ? [] : [[seq, files]])));
  };

  return {
    load: async (key, maxMessages) => {
      const id = toStorableKey(key);
      const limit = maxMessages > 0 ? maxMessages : Number.MAX_SAFE_INTEGER;
      const [session] = await database.rows(selectPin, { id });
      if (session === undefined) return emptySession(key);
      const rows = await database.rows(selectNewest, { id, limit });
      const sizes = rows.map((row) => ({
        seq: row.seq,
        fileBytes: sumKeptBytes(readStoredFiles(row)),
      }));
      const files = await loadFiles(id, sizes);
      const messages = rows
        .toReversed()
        .flatMap((row) => fromTranscriptRow(row, files.get(row.seq)) ?? []);
      const lastAnswer = fromAnswerColumn(session.last_answer);
      return { key, messages, pinnedModel: session.active_model, lastAnswer };
    },
  };
}

function emptySession(key: string): Session {
  return { key, messages: [], pinnedModel: "", lastAnswer: undefined };
}

export function toAnswerColumn(answer: AnswerRecord | null): string {
  return answer === null ? "" : JSON.stringify(answer);
}

const answerTexts = ["id", "model", "task", "features", "cause", "reason", "chosen"] as const;
const answerNumbers = ["inputTokens", "outputTokens", "cost", "messageCount"] as const;

/** What another version wrote in another form is no answer to start from. */
function fromAnswerColumn(text: string): AnswerRecord | undefined {
  if (text === "") return undefined;
  try {
    const value = (JSON.parse(text) ?? {}) as Partial<Record<keyof AnswerRecord, unknown>>;
    const { tried, messageCount, unanswered, hooks } = value;
    const isWhole =
      answerTexts.every((key) => typeof value[key] === "string") &&
      answerNumbers.every((key) => typeof value[key] === "number") &&
      Number.isSafeInteger(messageCount) &&
      // An answer takes up a question and itself; only what was never answered, or refused, takes up nothing.
      ((messageCount as number) >= 2 ||
        (messageCount === 0 && (typeof unanswered === "string" || Array.isArray(hooks)))) &&
      Array.isArray(tried) &&
      tried.every((name) => typeof name === "string");
    return isWhole ? (value as unknown as AnswerRecord) : undefined;
  } catch {
    return undefined;
  }
}

function prepareStatements({ prepare }: Database) {
  return {
    selectPin: prepare((database, is: { id: string }) =>
      database
        .selectFrom("sessions")
        .select(["active_model", "last_answer"])
        .where("id", "=", is.id),
    ),
    selectNewest: prepare((database, is: { id: string; limit: number }) =>
      database
        .selectFrom("messages")
        .select(["seq", "role", "content", "tool_calls", "tool_call_id", "metadata"])
        .where("session_id", "=", is.id)
        .orderBy("seq", "desc")
        .limit(is.limit),
    ),
    selectFiles: prepare((database, is: { id: string; from: number }) =>
      database
        .selectFrom("messages")
        .select(["seq", "files"])
        .where("session_id", "=", is.id)
        .where("seq", ">=", is.from)
        .where("files", "is not", null),
    ),
  };
}
