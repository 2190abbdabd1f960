import type { Clock } from "../../base/clock.ts";
import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";

/** What a channel may keep over a restart: a few small values by name. */
export interface ChannelMemory {
  readonly get: (key: string) => Promise<string | undefined>;
  readonly set: (key: string, value: string) => Promise<void>;
}

export function createVolatileMemory(): ChannelMemory {
  const values = new Map<string, string>();
  return {
    get: async (key) => values.get(key),
    set: async (key, value) => {
      values.set(key, value);
    },
  };
}

/** Which messages and threads the bot has written, so that reactions and answers in threads find their conversation. */
export interface SentMemory {
  readonly load: () => Promise<void>;
  readonly add: (conversationId: string, threadId: string, messageId: string) => void;
  /** The thread a message of ours stands in; `undefined` when it is not ours. */
  readonly findThread: (conversationId: string, messageId: string) => string | undefined;
  readonly isOwnThread: (conversationId: string, threadId: string) => boolean;
  /** Writes what is not written yet; ends the timer. */
  readonly close: () => Promise<void>;
}

const memoryKey = "sent";
const most = 2_000;
/** Replies come in bursts: they are written down together. */
const writeAfterMs = 2_000;

export function createSentMemory(memory: ChannelMemory, clock: Clock, log: Log): SentMemory {
  const threadOf = new Map<string, string>();
  const threads = new Map<string, number>();
  let cancelWrite: (() => void) | undefined;

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
  const write = async (): Promise<void> => {
    cancelWrite?.();
    cancelWrite = undefined;
    try {
      await memory.set(memoryKey, JSON.stringify([...threadOf]));
    } catch (error) {
      log.warn({ problem: toMessage(error) }, "which messages were sent could not be written down");
    }
  };

  return {
    load: async () => {
      const text = await memory.get(memoryKey);
      if (text === undefined) return;
      try {
        const entries = JSON.parse(text) as readonly (readonly [string, string])[];
        for (const [message, thread] of entries) remember(message, thread);
      } catch {
        log.warn("which messages were sent could not be read and is forgotten");
      }
    },
    add: (conversationId, threadId, messageId) => {
      remember(toKey(conversationId, messageId), toKey(conversationId, threadId));
      cancelWrite ??= clock.after(writeAfterMs, () => void write());
    },
    findThread: (conversationId, messageId) => {
      const thread = threadOf.get(toKey(conversationId, messageId));
      return thread === undefined ? undefined : fromKey(thread);
    },
    isOwnThread: (conversationId, threadId) =>
      threadId !== "" && threads.has(toKey(conversationId, threadId)),
    close: async () => {
      if (cancelWrite !== undefined) await write();
    },
  };
}

function toKey(conversationId: string, id: string): string {
  return JSON.stringify([conversationId, id]);
}

function fromKey(key: string): string {
  const [, id = ""] = JSON.parse(key) as readonly string[];
  return id;
}
