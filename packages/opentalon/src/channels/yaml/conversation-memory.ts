import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { type ChannelMemory, createWrittenPairs } from "./written-value.ts";

type Metadata = Readonly<Record<string, string>>;

/** What every message to a conversation needs and only messages from it tell, such as the address to answer to. */
export interface ConversationMemory {
  readonly load: () => Promise<void>;
  readonly note: (conversationId: string, metadata: Metadata) => void;
  /** The message with what it lacks of that. */
  readonly complete: <M extends { conversationId: string; metadata: Metadata }>(message: M) => M;
  readonly close: () => Promise<void>;
}

const most = 1_000;
const longestValue = 2_000;

/** @param names The metadata to remember. */
export function createConversationMemory(
  names: readonly string[],
  memory: ChannelMemory,
  clock: Clock,
  log: Log,
): ConversationMemory {
  const known = new Map<string, string>();
  const written = createWrittenPairs({
    memory,
    key: "conversations",
    read: () => known,
    clock,
    log,
  });

  return {
    load: async () => {
      if (names.length === 0) return;
      for (const [conversation, text] of await written.load()) known.set(conversation, text);
    },
    note: (conversationId, metadata) => {
      const kept = names.flatMap((name) => {
        const value = metadata[name] ?? "";
        return value === "" || value.length > longestValue ? [] : [[name, value] as const];
      });
      if (kept.length === 0) return;
      const text = JSON.stringify(Object.fromEntries(kept));
      const isNew = known.get(conversationId) !== text;
      known.delete(conversationId);
      known.set(conversationId, text);
      const [oldest] = known.keys();
      if (known.size > most && oldest !== undefined) known.delete(oldest);
      if (isNew) written.changed();
    },
    complete: (message) => {
      const text = known.get(message.conversationId);
      if (text === undefined) return message;
      return { ...message, metadata: { ...(JSON.parse(text) as Metadata), ...message.metadata } };
    },
    close: written.close,
  };
}
