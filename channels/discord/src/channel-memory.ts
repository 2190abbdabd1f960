import { open, readFile, rename } from "node:fs/promises";
import type { SessionInfo } from "@discordjs/ws";
import type { Clock } from "./clock.ts";
import { createRecentMap } from "./recent-map.ts";
import { isNewer, isSnowflake } from "./snowflake.ts";

/** How far the messages of a channel are handed over. */
export interface SeenChannel {
  readonly lastId: string;
  readonly isDirect: boolean;
}

/** How far everything is handed over. */
export interface Progress {
  readonly channels: ReadonlyMap<string, SeenChannel>;
  /** The newest message of all channels; `undefined` before the first start. */
  readonly newestId: string | undefined;
}

/** The message that shows a growing answer. */
export interface ShownAnswer {
  readonly channelId: string;
  /** Empty until Discord has said it. */
  readonly messageId: string;
}

/** What has to outlive the process so that the next one misses nothing. A file that is written shortly after a change. */
export interface ChannelMemory {
  /** The connection of a shard that can be taken up again. */
  readonly session: (shardId: number) => SessionInfo | undefined;
  /** Everything of this connection up to its `sequence` is handed over. */
  readonly reached: (session: SessionInfo) => void;
  /** The message is handed over, or was none for us. */
  readonly passed: (channelId: string, messageId: string, isDirect: boolean) => void;
  readonly progress: () => Progress;
  /** From this moment on something can be missed; keeps an earlier one. */
  readonly beginAt: (messageId: string) => void;
  /** What was said under a nonce. */
  readonly findPosted: (nonce: string) => string | undefined;
  readonly posted: (nonce: string, messageId: string) => void;
  readonly isPosted: (messageId: string) => boolean;
  /** The unfinished answer to a question, as it was when the process began or was told since. */
  readonly findShown: (questionId: string) => ShownAnswer | undefined;
  /** `undefined`: it is finished. */
  readonly shown: (questionId: string, answer: ShownAnswer | undefined) => void;
  /** Resolves when everything is on disk; rejects when it cannot be written. */
  readonly flush: () => Promise<void>;
}

export interface ChannelMemoryOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: (line: string) => void;
}

const maxChannels = 500;
const maxShards = 64;
const maxPosted = 500;
const maxShown = 200;
const writeDelayMs = 200;

interface Stored {
  readonly sessions: readonly SessionInfo[];
  readonly channels: readonly (readonly [id: string, lastId: string, isDirect: boolean])[];
  readonly newestId: string | undefined;
  readonly posted: readonly (readonly [nonce: string, messageId: string])[];
  readonly shown: readonly (readonly [questionId: string, answer: ShownAnswer])[];
}

export async function openChannelMemory(options: ChannelMemoryOptions): Promise<ChannelMemory> {
  const { path, clock, log } = options;
  const stored = await read(path, log);
  const sessions = new Map(stored.sessions.map((session) => [session.shardId, session]));
  const channels = createRecentMap<SeenChannel>(maxChannels);
  for (const [id, lastId, isDirect] of stored.channels) channels.set(id, { lastId, isDirect });
  const posted = createRecentMap<string>(maxPosted);
  for (const [nonce, messageId] of stored.posted) posted.set(nonce, messageId);
  const shown = createRecentMap<ShownAnswer>(maxShown);
  for (const [questionId, answer] of stored.shown) shown.set(questionId, answer);
  let { newestId } = stored;
  let cancel: (() => void) | undefined;
  let isChanged = false;
  let writing: Promise<void> = Promise.resolve();
  let isFailing = false;

  const write = async (): Promise<void> => {
    if (!isChanged) return;
    isChanged = false;
    const now: Stored = {
      sessions: [...sessions.values()],
      channels: channels.entries().map(([id, { lastId, isDirect }]) => [id, lastId, isDirect]),
      newestId,
      posted: posted.entries(),
      shown: shown.entries(),
    };
    try {
      await replaceFile(path, JSON.stringify(now));
      isFailing = false;
    } catch (error) {
      isChanged = true;
      throw error;
    }
  };
  const flush = (): Promise<void> => {
    cancel?.();
    cancel = undefined;
    writing = writing.catch(() => undefined).then(write);
    return writing;
  };
  const change = (): void => {
    isChanged = true;
    cancel ??= clock.after(writeDelayMs, () => {
      flush().catch((error: unknown) => {
        if (!isFailing) log(`what was read so far could not be noted: ${String(error)}`);
        isFailing = true;
      });
    });
  };

  return {
    session: (shardId) => sessions.get(shardId),
    reached: (session) => {
      if (!sessions.has(session.shardId) && sessions.size >= maxShards) return;
      sessions.set(session.shardId, session);
      change();
    },
    passed: (channelId, messageId, isDirect) => {
      const seen = channels.get(channelId);
      if (seen === undefined || isNewer(messageId, seen.lastId))
        channels.set(channelId, { lastId: messageId, isDirect });
      if (newestId === undefined || isNewer(messageId, newestId)) newestId = messageId;
      change();
    },
    beginAt: (messageId) => {
      if (newestId !== undefined) return;
      newestId = messageId;
      change();
    },
    progress: () => ({ channels: new Map(channels.entries()), newestId }),
    findPosted: posted.get,
    posted: (nonce, messageId) => {
      posted.set(nonce, messageId);
      change();
    },
    isPosted: (messageId) => posted.entries().some(([, id]) => id === messageId),
    findShown: shown.get,
    shown: (questionId, answer) => {
      if (answer === undefined) shown.delete(questionId);
      else shown.set(questionId, answer);
      change();
    },
    flush,
  };
}

async function read(path: string, log: (line: string) => void): Promise<Stored> {
  const empty: Stored = {
    sessions: [],
    channels: [],
    newestId: undefined,
    posted: [],
    shown: [],
  };
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    return empty;
  }
  try {
    const { sessions, channels, newestId, posted, shown } = JSON.parse(text) as Stored;
    return {
      sessions: sessions.filter(
        ({ shardId, sequence, sessionId, resumeURL }) =>
          [shardId, sequence].every(Number.isSafeInteger) &&
          [sessionId, resumeURL].every((value) => typeof value === "string"),
      ),
      channels: channels.filter(([id, lastId]) => isSnowflake(id) && isSnowflake(lastId)),
      newestId: newestId !== undefined && isSnowflake(newestId) ? newestId : undefined,
      posted: posted.filter(([nonce, id]) => typeof nonce === "string" && isSnowflake(id)),
      shown: shown.filter(([, answer]) =>
        [answer.channelId, answer.messageId].every((id) => typeof id === "string"),
      ),
    };
  } catch (error) {
    log(`${path} cannot be read and is begun anew: ${String(error)}`);
    return empty;
  }
}

/** Whoever reads the file finds the old text or the new one, also after a crash. */
async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  const file = await open(draft, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}
