import type { OutgoingMessage } from "@opentalon/plugin-sdk";
import type { ClientApi } from "./client-api.ts";
import type { GrowingAnswers } from "./growing-answers.ts";
import type { KnownEvents } from "./known-events.ts";
import { isPassing } from "./matrix-error.ts";
import type { Poster } from "./post-event.ts";
import { member, toText } from "./read-json.ts";
import { createRecentMap } from "./recent-map.ts";
import {
  type MessageKind,
  type MessagePlace,
  type TextOptions,
  toEditContent,
  toTextContent,
} from "./to-content.ts";
import { toTransactionId } from "./transaction-id.ts";

export interface GrowAnswerOptions {
  readonly api: Pick<ClientApi, "event">;
  readonly userId: string;
  readonly answersAs: MessageKind;
  readonly known: Pick<KnownEvents, "learn">;
  readonly growing: GrowingAnswers;
  readonly poster: Poster;
}

/** Answers that are shown while they grow: one event, edited. */
export interface GrowAnswer {
  /** Shows what there is so far, where the homeserver has room for it. */
  readonly showMore: (
    message: OutgoingMessage,
    place: MessagePlace,
    signal: AbortSignal,
  ) => Promise<void>;
  /** Puts the whole answer where its beginning stands. Gives that event; `undefined` when there is none. */
  readonly end: (
    message: OutgoingMessage,
    options: TextOptions,
    signal: AbortSignal,
  ) => Promise<string | undefined>;
}

const maxShownTexts = 200;

export function createGrowAnswer(options: GrowAnswerOptions): GrowAnswer {
  const { api, userId, answersAs, known, growing, poster } = options;
  /** By event, the text it shows. */
  const shown = createRecentMap<string>(maxShownTexts);

  /** The event an answer stands in; made, or found again, when nobody knows it yet. */
  const begin = async (
    message: OutgoingMessage,
    live: string,
    place: MessagePlace,
    signal: AbortSignal,
  ): Promise<string> => {
    const { conversationId: roomId, content } = message;
    const key = toKey(message);
    // First that there may be one, so that a crash in between leaves no beginning without an end.
    await growing.set(key, { live, eventId: "", deliveryId: "" });
    const transactionId = toTransactionId("live", roomId, key, live);
    const text = toTextContent(content, { kind: answersAs, place, marks: {} });
    const eventId = await poster.post({ roomId, content: text, transactionId }, signal);
    await growing.set(key, { live, eventId, deliveryId: "" });
    return eventId;
  };

  const showNext = async (
    message: OutgoingMessage,
    place: MessagePlace,
    signal: AbortSignal,
  ): Promise<void> => {
    const { conversationId: roomId, content, metadata } = message;
    const live = metadata["_live"] ?? "";
    const before = await growing.find(toKey(message));
    if (before?.live !== live || before.eventId === "") {
      const eventId = await begin(message, live, place, signal);
      // One that was made by an earlier attempt may show less.
      if (before?.live !== live) shown.set(eventId, content);
      return;
    }
    const { eventId, deliveryId } = before;
    if (deliveryId !== "" || shown.get(eventId) === content) return;
    const edit = toEditContent(content, eventId, { kind: answersAs, place, marks: {} });
    const transactionId = toTransactionId("live", eventId, content);
    await poster.post({ roomId, content: edit, transactionId }, signal);
    shown.set(eventId, content);
  };

  const findText = (roomId: string, eventId: string, signal: AbortSignal): Promise<string> =>
    api.event(roomId, eventId, signal).then(
      (event) => toText(member(member(event, "content"), "body")),
      () => "",
    );

  return {
    showMore: async (message, place, signal) => {
      if (poster.isResting()) return;
      try {
        await showNext(message, place, signal);
      } catch (error) {
        // The next one says more.
        if (!isPassing(error)) throw error;
        poster.noteRest(error);
      }
    },
    end: async (message, text, signal) => {
      const { conversationId: roomId, content, deliveryId } = message;
      const key = toKey(message);
      const before = key === "" ? undefined : await growing.find(key);
      if (before === undefined || !["", deliveryId].includes(before.deliveryId)) return undefined;
      const { live } = before;
      const isNew = before.eventId === "";
      const eventId = isNew
        ? await poster.patiently(signal, () => begin(message, live, text.place, signal))
        : before.eventId;
      await growing.set(key, { live, eventId, deliveryId });
      const now = isNew ? await findText(roomId, eventId, signal) : shown.get(eventId);
      const isComplete = text.kind === answersAs && Object.keys(text.marks).length === 0;
      if (now === content && isComplete) return eventId;
      const edit = toEditContent(content, eventId, text);
      const transactionId = toTransactionId("delivery", deliveryId, roomId);
      await poster.patiently(signal, () =>
        poster.post({ roomId, content: edit, transactionId }, signal),
      );
      shown.set(eventId, content);
      known.learn(roomId, eventId, { sender: userId, content: toTextContent(content, text) });
      return eventId;
    },
  };
}

/** Names the answer to one message in one place; empty for what answers nothing. */
function toKey({ conversationId, threadId, metadata }: OutgoingMessage): string {
  const asked = metadata["in_reply_to"] ?? metadata["_live"] ?? "";
  return asked === "" ? "" : JSON.stringify([conversationId, threadId, asked]);
}
