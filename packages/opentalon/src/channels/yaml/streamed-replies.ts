import type { Clock } from "../../base/clock.ts";
import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { InboundMessage } from "../../domain/message.ts";
import type { Turn, TurnEvent } from "../../domain/turn.ts";
import type { ScopedMessage } from "./message-scope.ts";

/** Shows answers while they are written: one message, edited as it grows. Nothing of it is durable. */
export interface StreamedReplies {
  readonly show: (turn: Turn, event: TurnEvent) => void;
  /** No more edits of this answer; resolves to the id of the message that shows it, `undefined` when none does. */
  readonly end: (key: string) => Promise<string | undefined>;
  readonly forget: (key: string) => void;
  readonly close: () => void;
}

export interface StreamedRepliesOptions {
  readonly isEnabled: boolean;
  /** Characters a message of the platform holds; 0 is no limit. */
  readonly maxLength: number;
  /** Least time between two edits. */
  readonly intervalMs: number;
  /** Posts a message and resolves to its id, `""` when the platform does not tell. */
  readonly post: (message: ScopedMessage) => Promise<string>;
  readonly edit: (message: ScopedMessage, id: string) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

interface Stream {
  text: string;
  /** Bytes that came since the last edit. */
  newBytes: number;
  /** No edit before. */
  nextAtMs: number;
  id: string;
  flight: Promise<void> | undefined;
  /** The answer is complete, or showing it failed. */
  isOver: boolean;
}

const leastNewBytes = 50;
const marker = " ◍";
const maxStreams = 500;
const maxTextLength = 100_000;

/** Answers belong to the place they stand in and the message they answer. */
export function toStreamKey(
  { conversationId, threadId }: Pick<InboundMessage, "conversationId" | "threadId">,
  inReplyTo: string,
): string {
  return JSON.stringify([conversationId, threadId, inReplyTo]);
}

export function createStreamedReplies(options: StreamedRepliesOptions): StreamedReplies {
  const { isEnabled, maxLength, intervalMs, post, edit, clock, log } = options;
  const limit = (maxLength > 0 ? maxLength : maxTextLength) - marker.length;
  const streams = new Map<string, Stream>();

  const find = (key: string): Stream => {
    const known = streams.get(key);
    if (known !== undefined) return known;
    const [oldest] = streams.keys();
    if (streams.size >= maxStreams && oldest !== undefined) streams.delete(oldest);
    const stream = { text: "", newBytes: 0, nextAtMs: 0, id: "", flight: undefined, isOver: false };
    streams.set(key, stream);
    return stream;
  };

  const flush = async (stream: Stream, { message }: Turn): Promise<void> => {
    const shown = { ...message, files: [], content: cut(stream.text, limit) + marker };
    stream.newBytes = 0;
    stream.nextAtMs = clock.now() + intervalMs;
    try {
      if (stream.id !== "") await edit(shown, stream.id);
      else {
        stream.id = await post(shown);
        if (stream.id === "") stream.isOver = true;
      }
    } catch (error) {
      const { retryAfterMs } = error as { retryAfterMs?: number | undefined };
      log.debug({ problem: toMessage(error) }, "an answer could not be shown while it is written");
      if (retryAfterMs === undefined && stream.id === "") stream.isOver = true;
      stream.nextAtMs = clock.now() + Math.max(intervalMs, retryAfterMs ?? 0);
    }
    stream.flight = undefined;
  };

  return {
    show: (turn, event) => {
      if (!isEnabled) return;
      const key = toStreamKey(turn.message, turn.message.platformMessageId);
      if (event.kind === "turn-finished") {
        const stream = streams.get(key);
        if (stream !== undefined) stream.isOver = true;
        return;
      }
      if (event.kind === "text-reset") {
        const stream = streams.get(key);
        if (stream !== undefined) Object.assign(stream, { text: "", newBytes: 0 });
        return;
      }
      if (event.kind !== "text-delta") return;
      const stream = find(key);
      if (stream.isOver || stream.text.length > limit) return;
      stream.text += event.text;
      stream.newBytes += Buffer.byteLength(event.text);
      const isDue = stream.newBytes >= leastNewBytes && clock.now() >= stream.nextAtMs;
      if (isDue && stream.flight === undefined) stream.flight = flush(stream, turn);
    },
    end: async (key) => {
      const stream = streams.get(key);
      if (stream === undefined) return undefined;
      stream.isOver = true;
      await stream.flight;
      return stream.id === "" ? undefined : stream.id;
    },
    forget: (key) => {
      streams.delete(key);
    },
    close: () => {
      for (const stream of streams.values()) stream.isOver = true;
    },
  };
}

function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const end = /[\ud800-\udbff]/.test(text[limit - 1] ?? "") ? limit - 1 : limit;
  return text.slice(0, end);
}
