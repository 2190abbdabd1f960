import { randomUUID } from "node:crypto";
import type { ChannelFile, OutgoingMessage, PostedMessage } from "@opentalon/plugin-sdk";
import type { ClientApi } from "./client-api.ts";
import type { GrowAnswer } from "./grow-answer.ts";
import { confirmationKey, type KnownEvents } from "./known-events.ts";
import { isPassing, MatrixError } from "./matrix-error.ts";
import type { Poster } from "./post-event.ts";
import type { Rooms } from "./rooms.ts";
import { type MessageKind, type MessagePlace, toFileContent, toTextContent } from "./to-content.ts";
import { toTransactionId } from "./transaction-id.ts";

export interface SendMessageOptions {
  readonly api: Pick<ClientApi, "upload">;
  readonly answersAs: MessageKind;
  readonly rooms: Pick<Rooms, "isDirect">;
  readonly known: Pick<KnownEvents, "recall" | "learnThread">;
  readonly growAnswer: GrowAnswer;
  readonly poster: Poster;
}

/**
 * Brings to a room what OpenTalon says; gives the events it became. A delivery the homeserver has seen is not shown again.
 * @throws MatrixError
 */
export type SendMessage = (message: OutgoingMessage, signal: AbortSignal) => Promise<PostedMessage>;

/** Reactions that stand below a question for consent; people choose one by pressing it. */
export const choices = { approve: "✅", reject: "❌" } as const;

export function createSendMessage(options: SendMessageOptions): SendMessage {
  const { api, answersAs, rooms, known, growAnswer } = options;
  const { post, patiently } = options.poster;

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

  const sendText = async (
    message: OutgoingMessage,
    transactionId: string,
    place: MessagePlace,
    signal: AbortSignal,
  ): Promise<string> => {
    const { conversationId: roomId, content, metadata } = message;
    const isAside = metadata["type"] === "error" || metadata["type"] === "system";
    const kind = isAside ? "m.notice" : answersAs;
    const marks = isQuestion(message)
      ? { [confirmationKey]: { tool_call_id: metadata["tool_call_id"] ?? "" } }
      : {};
    const text = { kind, place, marks } as const;
    const grown = await growAnswer.end(message, text, signal);
    if (grown !== undefined) return grown;
    const event = { roomId, content: toTextContent(content, text), transactionId };
    return patiently(signal, () => post(event, signal));
  };

  const offerChoices = async (
    roomId: string,
    eventId: string,
    transaction: string,
    signal: AbortSignal,
  ): Promise<void> => {
    for (const key of Object.values(choices)) {
      const content = { "m.relates_to": { rel_type: "m.annotation", event_id: eventId, key } };
      const transactionId = toTransactionId(transaction, key);
      const event = { roomId, type: "m.reaction", content, transactionId };
      await patiently(signal, () => post(event, signal));
    }
  };

  const sendFile = async (
    roomId: string,
    file: ChannelFile,
    transactionId: string,
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
    return patiently(signal, () => post({ roomId, content, transactionId }, signal));
  };

  return async (given, signal) => {
    const { conversationId: roomId, threadId, content, files, metadata } = given;
    const message = given.deliveryId === "" ? { ...given, deliveryId: randomUUID() } : given;
    const place = await patiently(signal, () => findPlace(message, signal));
    if (metadata["_live_state"] === "partial") {
      await growAnswer.showMore(message, place, signal);
      return { messageIds: [] };
    }
    const transaction = toTransactionId("delivery", message.deliveryId, roomId);
    const messageIds: string[] = [];
    if (content.trim() !== "") {
      const eventId = await sendText(message, transaction, place, signal);
      messageIds.push(eventId);
      if (isQuestion(message)) await offerChoices(roomId, eventId, transaction, signal);
    }
    for (const [index, file] of files.entries()) {
      const own = toTransactionId(transaction, "file", String(index));
      messageIds.push(await sendFile(roomId, file, own, place, signal));
    }
    if (threadId !== "") known.learnThread(roomId, threadId);
    return { messageIds };
  };
}

function isQuestion({ metadata }: OutgoingMessage): boolean {
  return metadata["type"] === "confirmation";
}
