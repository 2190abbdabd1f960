import type { FileAttachment } from "../../domain/message.ts";
import { type ChatMemory, chatNamespace } from "./chat-memory.ts";

/** One thing that was said in a chat, in the form in which it is kept and sent to the page. */
export interface ChatEntry {
  /** Counts up within the conversation, from 1. */
  readonly seq: number;
  /** Identity: of a person's message the platform's id, of a reply its delivery id. */
  readonly id: string;
  readonly from: "person" | "assistant";
  readonly content: string;
  readonly files: readonly ChatFile[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly at_ms: number;
}

export interface ChatFile {
  readonly name: string;
  readonly mime_type: string;
  readonly size: number;
  /** Base64; absent when it is not kept any more. */
  readonly data?: string;
}

/** What people said in one web chat and what they were answered: the newest part, durable. */
export interface Transcripts {
  /** Adds it; `undefined` when its identity is there already. */
  readonly append: (
    conversation: string,
    entry: Omit<ChatEntry, "seq">,
  ) => Promise<ChatEntry | undefined>;
  /** What came after `seq`, oldest first. */
  readonly readAfter: (conversation: string, seq: number) => Promise<readonly ChatEntry[]>;
  /** Removes conversations in which nothing was said since then. */
  readonly forgetOld: (beforeMs: number) => Promise<void>;
}

export interface TranscriptsOptions {
  readonly channel: string;
  readonly memory: ChatMemory;
}

const maxEntries = 100;
const maxSwept = 100_000;
/** Of all entries but the newest; files go before texts. */
const maxCharacters = 1_048_576;

export function createTranscripts({ channel, memory }: TranscriptsOptions): Transcripts {
  /** The last thing under way in each conversation, so that no two write over each other. */
  const tails = new Map<string, Promise<unknown>>();

  const inTurn = <Result>(conversation: string, task: () => Promise<Result>): Promise<Result> => {
    const before = tails.get(conversation) ?? Promise.resolve();
    const mine = before.then(task, task);
    tails.set(conversation, mine);
    const forget = (): void => {
      if (tails.get(conversation) === mine) tails.delete(conversation);
    };
    mine.then(forget, forget);
    return mine;
  };
  const toKey = (conversation: string): string => `${channel}:chat:${conversation}`;
  const read = async (conversation: string): Promise<readonly ChatEntry[]> => {
    const text = await memory.get(chatNamespace, toKey(conversation));
    return text === undefined ? [] : (JSON.parse(text) as readonly ChatEntry[]);
  };

  return {
    append: (conversation, entry) =>
      inTurn(conversation, async () => {
        const entries = await read(conversation);
        if (entries.some(({ id }) => id === entry.id)) return undefined;
        const added = { ...entry, seq: (entries.at(-1)?.seq ?? 0) + 1 };
        const kept = [...trim(entries), added];
        await memory.set(chatNamespace, toKey(conversation), JSON.stringify(kept));
        return added;
      }),
    readAfter: (conversation, seq) =>
      inTurn(conversation, async () =>
        (await read(conversation)).filter((entry) => entry.seq > seq),
      ),
    forgetOld: async (beforeMs) => {
      const prefix = toKey("");
      for (const key of await memory.list(chatNamespace, prefix, maxSwept)) {
        const conversation = key.slice(prefix.length);
        await inTurn(conversation, async () => {
          const newest = (await read(conversation)).at(-1);
          if ((newest?.at_ms ?? 0) < beforeMs) await memory.delete(chatNamespace, key);
        });
      }
    },
  };
}

/** The newest entries that fit; those that do not are kept without their files, else not at all. */
function trim(entries: readonly ChatEntry[]): readonly ChatEntry[] {
  const kept: ChatEntry[] = [];
  let room = maxCharacters;
  for (const entry of entries.slice(1 - maxEntries).toReversed()) {
    const fitting = [entry, withoutData(entry)].find((form) => JSON.stringify(form).length <= room);
    if (fitting === undefined) break;
    room -= JSON.stringify(fitting).length;
    kept.unshift(fitting);
  }
  return kept;
}

function withoutData(entry: ChatEntry): ChatEntry {
  const files = entry.files.map(({ name, mime_type, size }) => ({ name, mime_type, size }));
  return { ...entry, files };
}

export function toChatFile({ name, mimeType, data }: FileAttachment): ChatFile {
  const base64 = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  return { name, mime_type: mimeType, size: data.byteLength, data: base64 };
}
