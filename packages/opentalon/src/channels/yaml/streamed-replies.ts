import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { InboundMessage } from "../../domain/message.ts";
import type { Turn, TurnEvent } from "../../domain/turn.ts";
import type { EditPace } from "./edit-pace.ts";
import { RefusedError } from "./http-call.ts";
import type { ScopedMessage } from "./message-scope.ts";

/** Shows answers while they are written: one message, edited as it grows. Nothing of it is durable. */
export interface StreamedReplies {
  readonly show: (turn: Turn, event: TurnEvent) => void;
  /** No more edits of this answer; resolves to the message that shows it, `undefined` when none does. */
  readonly end: (key: string) => Promise<ShownReply | undefined>;
  readonly forget: (key: string) => void;
  /** Whether a message shows this answer, or is on its way. */
  readonly isShown: (key: string) => boolean;
  readonly close: () => void;
}

export interface ShownReply {
  readonly id: string;
  /** As it stands now, but for the sign that more is to come. */
  readonly content: string;
}

export interface StreamedRepliesOptions {
  readonly isEnabled: boolean;
  /** Characters a message of the platform holds; 0 is no limit. */
  readonly maxLength: number;
  readonly pace: EditPace;
  /** The beginning of an answer, which may end anywhere, as a message of at most so many characters. */
  readonly format: (text: string, maxLength: number) => string;
  /** Posts a message and resolves to its id, `""` when the platform does not tell. */
  readonly post: (message: ScopedMessage) => Promise<string>;
  readonly edit: (message: ScopedMessage, id: string) => Promise<void>;
  readonly log: Log;
}

interface Stream {
  text: string;
  /** Bytes that came since the last edit. */
  newBytes: number;
  id: string;
  beginning: string;
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
  const { isEnabled, maxLength, pace, format, post, edit, log } = options;
  const limit = (maxLength > 0 ? maxLength : maxTextLength) - marker.length;
  const streams = new Map<string, Stream>();

  const find = (key: string): Stream => {
    const known = streams.get(key);
    if (known !== undefined) return known;
    const [oldest] = streams.keys();
    if (streams.size >= maxStreams && oldest !== undefined) streams.delete(oldest);
    const stream = {
      text: "",
      newBytes: 0,
      id: "",
      beginning: "",
      flight: undefined,
      isOver: false,
    };
    streams.set(key, stream);
    return stream;
  };

  const flush = async (stream: Stream, { message }: Turn, beginning: string): Promise<void> => {
    const shown = { ...message, files: [], content: beginning + marker };
    stream.newBytes = 0;
    stream.beginning = beginning;
    try {
      if (stream.id !== "") await edit(shown, stream.id);
      else {
        stream.id = await post(shown);
        if (stream.id === "") stream.isOver = true;
      }
    } catch (error) {
      const { retryAfterMs } = error as { retryAfterMs?: number | undefined };
      const isTooMuch = error instanceof RefusedError && error.status === 429;
      if (isTooMuch || retryAfterMs !== undefined)
        pace.slowDown(message.conversationId, retryAfterMs ?? 0);
      log.debug({ problem: toMessage(error) }, "an answer could not be shown while it is written");
      if (retryAfterMs === undefined && !isTooMuch && stream.id === "") stream.isOver = true;
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
      if (stream.newBytes < leastNewBytes || stream.flight !== undefined) return;
      const { conversationId, metadata } = turn.message;
      if (!pace.take(conversationId, metadata["is_group"] === "true")) return;
      const beginning = format(stream.text, limit);
      if (beginning !== "") stream.flight = flush(stream, turn, beginning);
    },
    end: async (key) => {
      const stream = streams.get(key);
      if (stream === undefined) return undefined;
      stream.isOver = true;
      await stream.flight;
      return stream.id === "" ? undefined : { id: stream.id, content: stream.beginning };
    },
    forget: (key) => {
      streams.delete(key);
    },
    isShown: (key) => {
      const stream = streams.get(key);
      return stream !== undefined && (stream.id !== "" || stream.flight !== undefined);
    },
    close: () => {
      for (const stream of streams.values()) stream.isOver = true;
    },
  };
}
