import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { type ChannelMemory, createWrittenPairs } from "./written-value.ts";

/** Which messages and threads the bot has written, so that reactions and answers in threads find their conversation. */
export interface SentMemory {
  readonly load: () => Promise<void>;
  readonly add: (conversationId: string, threadId: string, messageId: string) => void;
  /** The thread a message of ours stands in; `undefined` when it is not ours. */
  readonly findThread: (conversationId: string, messageId: string) => string | undefined;
  readonly isOwnThread: (conversationId: string, threadId: string) => boolean;
  readonly close: () => Promise<void>;
}

const most = 2_000;

export function createSentMemory(memory: ChannelMemory, clock: Clock, log: Log): SentMemory {
  const threadOf = new Map<string, string>();
  /** How many of the messages stand in a thread. */
  const threads = new Map<string, number>();
  const written = createWrittenPairs({ memory, key: "sent", read: () => threadOf, clock, log });

  const remember = (message: string, thread: string): void => {
    if (threadOf.has(message)) return;
    threadOf.set(message, thread);
    threads.set(thread, (threads.get(thread) ?? 0) + 1);
    if (threadOf.size <= most) return;
    const [oldest] = threadOf;
    if (oldest === undefined) return;
    threadOf.delete(oldest[0]);
    const count = (threads.get(oldest[1]) ?? 1) - 1;
    if (count > 0) threads.set(oldest[1], count);
    else threads.delete(oldest[1]);
  };

  return {
    load: async () => {
      for (const [message, thread] of await written.load()) remember(message, thread);
    },
    add: (conversationId, threadId, messageId) => {
      remember(toKey(conversationId, messageId), toKey(conversationId, threadId));
      written.changed();
    },
    findThread: (conversationId, messageId) => {
      const thread = threadOf.get(toKey(conversationId, messageId));
      return thread === undefined ? undefined : fromKey(thread);
    },
    isOwnThread: (conversationId, threadId) =>
      threadId !== "" && threads.has(toKey(conversationId, threadId)),
    close: written.close,
  };
}

function toKey(conversationId: string, id: string): string {
  return JSON.stringify([conversationId, id]);
}

function fromKey(key: string): string {
  const [, id = ""] = JSON.parse(key) as readonly string[];
  return id;
}
