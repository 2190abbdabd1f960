import { randomUUID } from "node:crypto";
import type { ChannelFile, OutgoingMessage, PostedMessage } from "@opentalon/plugin-sdk";
import type { ClientApi } from "./client-api.ts";
import type { GrowingAnswers } from "./growing-answers.ts";
import { confirmationKey, type KnownEvents } from "./known-events.ts";
import { isPassing, MatrixError } from "./matrix-error.ts";
import { withPatience, type Clock } from "./patience.ts";
import { member, toText, type JsonObject } from "./read-json.ts";
import { createRecentMap } from "./recent-map.ts";
import type { Rooms } from "./rooms.ts";
import { type MessagePlace, toEditContent, toFileContent, toTextContent } from "./to-content.ts";
import { toTransactionId } from "./transaction-id.ts";

export interface SendMessageOptions {
  readonly api: Pick<ClientApi, "sendEvent" | "upload" | "event">;
  readonly userId: string;
  readonly answersAs: "m.text" | "m.notice";
  readonly rooms: Pick<Rooms, "isDirect">;
  readonly known: KnownEvents;
  readonly growing: GrowingAnswers;
  readonly clock: Clock;
}

/** What OpenTalon says, brought to a room. Gives the ids of the events it became. @throws MatrixError */
export type SendMessage = (message: OutgoingMessage, signal: AbortSignal) => Promise<PostedMessage>;

/** OpenTalon waits half a minute for the end of a delivery. */
const patienceMs = 20_000;
const maxShownTexts = 200;

/** Reactions that stand below a question for consent; people choose one by pressing it. */
export const choices = { approve: "✅", reject: "❌" } as const;

export function createSendMessage(options: SendMessageOptions): SendMessage {
  const { api, userId, answersAs, rooms, known, growing, clock } = options;
  /** By event, the text it shows. */
  const shown = createRecentMap<string>(maxShownTexts);
  /** Until then the homeserver wants no more than it has to get. */
  let restUntilMs = 0;

  const patiently = <Value>(signal: AbortSignal, task: () => Promise<Value>): Promise<Value> =>
    withPatience({ clock, signal, withinMs: patienceMs, onRetry: noteRest }, task);

  const noteRest = (error: unknown): void => {
    if (error instanceof MatrixError && error.status === 429)
      restUntilMs = Math.max(restUntilMs, clock.nowMs() + (error.retryAfterMs ?? 2_000));
  };

  const post = async (
    roomId: string,
    content: JsonObject,
    transactionId: string,
    signal: AbortSignal,
    type = "m.room.message",
  ): Promise<string> => {
    const eventId = await api.sendEvent({ roomId, type, transactionId, content }, signal);
    known.learn(roomId, eventId, { sender: userId, content });
    return eventId;
  };

  /** Outside direct chats an answer shows what it answers, and calls who asked. */
  const findPlace = async (
    { conversationId, threadId, metadata }: OutgoingMessage,
    signal: AbortSignal,
  ): Promise<MessagePlace> => {
    const asked = metadata["in_reply_to"] ?? "";
    const isEvent = /^\$\S{1,254}$/.test(asked);
    if (!isEvent || (await rooms.isDirect(conversationId, signal)))
      return { threadId, replyTo: "", mentioned: "" };
    const { reactsTo = "", sender: mentioned = "" } = known.recall(conversationId, asked) ?? {};
    return { threadId, replyTo: reactsTo === "" ? asked : reactsTo, mentioned };
  };

  const toKind = ({ metadata }: OutgoingMessage): "m.text" | "m.notice" =>
    metadata["type"] === "error" || metadata["type"] === "system" ? "m.notice" : answersAs;

  /** The event a growing answer stands in; made, or found again, when nobody knows it yet. */
  const beginAnswer = async (
    message: OutgoingMessage,
    live: string,
    place: MessagePlace,
    signal: AbortSignal,
  ): Promise<string> => {
    const { conversationId, content } = message;
    const key = toKey(message);
    // First that there may be one, so that a crash in between leaves no beginning without an end.
    await growing.set(key, { live, eventId: "", deliveryId: "" });
    const transactionId = toTransactionId("live", conversationId, key, live);
    const text = toTextContent(content, { kind: answersAs, place, marks: {} });
    const eventId = await post(conversationId, text, transactionId, signal);
    await growing.set(key, { live, eventId, deliveryId: "" });
    return eventId;
  };

  const showMore = async (message: OutgoingMessage, signal: AbortSignal): Promise<void> => {
    if (clock.nowMs() < restUntilMs) return;
    const { conversationId, content, metadata } = message;
    const live = metadata["_live"] ?? "";
    const before = await growing.find(toKey(message));
    try {
      const place = await findPlace(message, signal);
      if (before?.live !== live || before.eventId === "") {
        const eventId = await beginAnswer(message, live, place, signal);
        // One that was made by an earlier attempt may show less.
        if (before?.live !== live) shown.set(eventId, content);
        return;
      }
      const { eventId, deliveryId } = before;
      if (deliveryId !== "" || shown.get(eventId) === content) return;
      const edit = toEditContent(content, eventId, { kind: answersAs, place, marks: {} });
      await post(conversationId, edit, toTransactionId("live", eventId, content), signal);
      shown.set(eventId, content);
    } catch (error) {
      // The next one says more.
      if (!isPassing(error)) throw error;
      noteRest(error);
    }
  };

  /** The whole answer in the place of its beginning, where there is one. */
  const endAnswer = async (
    message: OutgoingMessage,
    transaction: string,
    place: MessagePlace,
    signal: AbortSignal,
  ): Promise<string | undefined> => {
    const { conversationId, content, deliveryId } = message;
    const key = toKey(message);
    const before = key === "" ? undefined : await growing.find(key);
    if (before === undefined || !["", deliveryId].includes(before.deliveryId)) return undefined;
    const kind = toKind(message);
    const { live } = before;
    const { eventId } =
      before.eventId === ""
        ? { eventId: await patiently(signal, () => beginAnswer(message, live, place, signal)) }
        : before;
    await growing.set(key, { live, eventId, deliveryId });
    const isNew = before.eventId === "";
    const text = isNew ? await findText(conversationId, eventId, signal) : shown.get(eventId);
    const marks = toMarks(message);
    if (text === content && kind === answersAs && !isQuestion(message)) return eventId;
    const options = { kind, place, marks };
    const edit = toEditContent(content, eventId, options);
    await patiently(signal, () => post(conversationId, edit, transaction, signal));
    shown.set(eventId, content);
    const now = { sender: userId, content: toTextContent(content, options) };
    known.learn(conversationId, eventId, now);
    return eventId;
  };

  const findText = async (roomId: string, eventId: string, signal: AbortSignal): Promise<string> =>
    api.event(roomId, eventId, signal).then(
      (event) => toText(member(member(event, "content"), "body")),
      () => "",
    );

  const sendText = async (
    message: OutgoingMessage,
    transaction: string,
    place: MessagePlace,
    signal: AbortSignal,
  ): Promise<string> => {
    const options = { kind: toKind(message), place, marks: toMarks(message) };
    const content = toTextContent(message.content, options);
    return patiently(signal, () => post(message.conversationId, content, transaction, signal));
  };

  const offerChoices = async (
    { conversationId }: OutgoingMessage,
    eventId: string,
    transaction: string,
    signal: AbortSignal,
  ): Promise<void> => {
    for (const key of Object.values(choices)) {
      const content = { "m.relates_to": { rel_type: "m.annotation", event_id: eventId, key } };
      const id = toTransactionId(transaction, key);
      await patiently(signal, () => post(conversationId, content, id, signal, "m.reaction"));
    }
  };

  const sendFile = async (
    { conversationId }: OutgoingMessage,
    file: ChannelFile,
    transaction: string,
    place: MessagePlace,
    signal: AbortSignal,
  ): Promise<string> => {
    const mimeType = file.mimeType === "" ? "application/octet-stream" : file.mimeType;
    const whole = { ...file, mimeType };
    const content = await patiently(signal, () => api.upload(whole, signal)).then(
      (url) => toFileContent(whole, url, place),
      (error: unknown) => {
        if (isPassing(error) || !(error instanceof MatrixError)) throw error;
        // It will not take it later either; the rest of the answer is worth having.
        const why = error.status === 413 ? "too large for this homeserver" : error.code;
        const words = `The file ${file.name} could not be sent: ${why}.`;
        return toTextContent(words, { kind: "m.notice", place, marks: {} });
      },
    );
    return patiently(signal, () => post(conversationId, content, transaction, signal));
  };

  return async (given, signal) => {
    const { conversationId, threadId, content, files, metadata } = given;
    if (metadata["_live_state"] === "partial") {
      await showMore(given, signal);
      return { messageIds: [] };
    }
    const message = given.deliveryId === "" ? { ...given, deliveryId: randomUUID() } : given;
    const transaction = toTransactionId("delivery", message.deliveryId, conversationId);
    const place = await patiently(signal, () => findPlace(message, signal));
    const messageIds: string[] = [];
    if (content.trim() !== "") {
      const eventId =
        (await endAnswer(message, transaction, place, signal)) ??
        (await sendText(message, transaction, place, signal));
      messageIds.push(eventId);
      if (isQuestion(message)) await offerChoices(message, eventId, transaction, signal);
    }
    for (const [index, file] of files.entries()) {
      const own = toTransactionId(transaction, "file", String(index));
      messageIds.push(await sendFile(message, file, own, place, signal));
    }
    if (threadId !== "") known.learnThread(conversationId, threadId);
    return { messageIds };
  };
}

/** Names the answer to one message in one place; empty for what answers nothing. */
function toKey({ conversationId, threadId, metadata }: OutgoingMessage): string {
  const asked = metadata["in_reply_to"] ?? metadata["_live"] ?? "";
  return asked === "" ? "" : JSON.stringify([conversationId, threadId, asked]);
}

function isQuestion({ metadata }: OutgoingMessage): boolean {
  return metadata["type"] === "confirmation";
}

/** What a question for consent carries. */
function toMarks(message: OutgoingMessage): JsonObject {
  if (!isQuestion(message)) return {};
  return { [confirmationKey]: { tool_call_id: message.metadata["tool_call_id"] ?? "" } };
}
