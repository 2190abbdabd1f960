import type { ChannelContext, IncomingMessage } from "@opentalon/plugin-sdk";
import type { ClientApi } from "./client-api.ts";
import type { KnownEvent, KnownEvents } from "./known-events.ts";
import { loadFile } from "./load-file.ts";
import type { Mentions } from "./mentions.ts";
import { withPatience, type Clock } from "./patience.ts";
import { readMessage, type ReadMessage } from "./read-message.ts";
import { member, toCount, toText } from "./read-json.ts";
import { readRelation } from "./relations.ts";
import type { Rooms } from "./rooms.ts";
import { choices } from "./send-message.ts";
import { ownMark } from "./to-content.ts";

export interface TakeEventOptions {
  readonly api: Pick<ClientApi, "download">;
  readonly userId: string;
  readonly mentions: Mentions;
  readonly rooms: Rooms;
  readonly known: KnownEvents;
  readonly receive: ChannelContext["receive"];
  /** Called for a room we cannot read. */
  readonly onEncrypted: (roomId: string) => void;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Where a message that was handed over stands. */
export interface StoredEvent {
  readonly eventId: string;
  /** `main` outside threads. */
  readonly threadId: string;
}

/**
 * Hands over what an event of a room says to us. Gives where it stands once it is stored, `undefined` for what is not for us.
 * @throws Error when the channel is being stopped, MatrixError when we are signed out: the event has to come again.
 */
export type TakeEvent = (roomId: string, event: unknown) => Promise<StoredEvent | undefined>;

/** How somebody who presses a reaction below a question says yes and no. */
const words: ReadonlyMap<string, "approve" | "reject"> = new Map([
  [choices.approve, "approve"],
  ["👍", "approve"],
  [choices.reject, "reject"],
  ["👎", "reject"],
]);
const maxReactionLength = 64;
const longestIdentifier = 255;

export function createTakeEvent(options: TakeEventOptions): TakeEvent {
  const { userId, mentions, rooms, known, receive, onEncrypted, signal } = options;

  /** While the homeserver is away nothing can be decided. */
  const surely = <Value>(task: () => Promise<Value>): Promise<Value> =>
    withPatience({ clock: options.clock, signal }, task);

  const isForUs = async (roomId: string, content: unknown): Promise<boolean> => {
    if (mentions.isMentioned(content)) return true;
    const { threadId, replyTo } = readRelation(content);
    if (threadId !== "" && (await known.takesPart(roomId, threadId, signal))) return true;
    return replyTo !== "" && (await known.find(roomId, replyTo, signal))?.isOwn === true;
  };

  const takeMessage = async (roomId: string, event: Event): Promise<StoredEvent | undefined> => {
    const { content, sender } = event;
    if (member(content, ownMark) !== undefined) return undefined;
    const said = readMessage(content);
    if (said === undefined) return undefined;
    const isDirect = await surely(() => rooms.isDirect(roomId, signal));
    if (!isDirect && !(await surely(() => isForUs(roomId, content)))) return undefined;
    const { files, note } = said.hasFile
      ? await loadFile(content, options)
      : { files: [], note: "" };
    const senderName = rooms.nameOf(roomId, sender);
    const text = [toWords(said, senderName), note].filter((part) => part !== "").join("\n\n");
    if (text === "" && files.length === 0) return undefined;
    const { threadId } = readRelation(content);
    await receive({
      ...toBasics(roomId, event, senderName),
      threadId,
      content: text,
      files,
      metadata: isDirect ? {} : { is_group: "true" },
    });
    return { eventId: event.eventId, threadId: threadId === "" ? "main" : threadId };
  };

  const toWords = ({ text, isEmote }: ReadMessage, senderName: string): string => {
    const rest = text.trim() === "" ? "" : mentions.withoutName(text);
    return isEmote ? `* ${senderName} ${rest}` : rest;
  };

  const takeReaction = async (roomId: string, event: Event): Promise<StoredEvent | undefined> => {
    const { kind, eventId: target, key } = readRelation(event.content);
    if (kind !== "m.annotation" || target === "" || key === "") return undefined;
    if (key.length > maxReactionLength || target.length > longestIdentifier) return undefined;
    const about = await surely(() => known.find(roomId, target, signal));
    if (about?.isOwn !== true) return undefined;
    const isDirect = await surely(() => rooms.isDirect(roomId, signal));
    await receive({
      ...toBasics(roomId, event, rooms.nameOf(roomId, event.sender)),
      threadId: about.threadId,
      content: "",
      metadata: {
        ...(isDirect ? {} : { is_group: "true" }),
        ...toReaction(about, target, key),
      },
    });
    return { eventId: event.eventId, threadId: about.threadId === "" ? "main" : about.threadId };
  };

  return async (roomId, raw) => {
    const event = readEvent(raw);
    if (event === undefined) return undefined;
    if (event.type === "m.room.encryption" || event.type === "m.room.encrypted")
      onEncrypted(roomId);
    if (event.type !== "m.room.message" && event.type !== "m.reaction") return undefined;
    known.learn(roomId, event.eventId, raw);
    if (event.sender === userId) return undefined;
    return event.type === "m.reaction" ? takeReaction(roomId, event) : takeMessage(roomId, event);
  };
}

interface Event {
  readonly type: string;
  readonly eventId: string;
  readonly sender: string;
  readonly content: unknown;
  readonly sentAtMs: number | undefined;
}

/** `undefined` for what is no event, and for one whose content was taken back. */
function readEvent(raw: unknown): Event | undefined {
  const eventId = toText(member(raw, "event_id"));
  const sender = toText(member(raw, "sender"));
  if (eventId === "" || sender === "" || eventId.length > longestIdentifier) return undefined;
  if (member(member(raw, "unsigned"), "redacted_because") !== undefined) return undefined;
  return {
    type: toText(member(raw, "type")),
    eventId,
    sender,
    content: member(raw, "content"),
    sentAtMs: toCount(member(raw, "origin_server_ts")),
  };
}

function toBasics(
  roomId: string,
  { eventId, sender, sentAtMs }: Event,
  senderName: string,
): Pick<IncomingMessage, "conversationId" | "senderId" | "senderName" | "messageId" | "sentAt"> {
  const isTime = sentAtMs !== undefined && sentAtMs <= 8.64e15;
  return {
    conversationId: roomId,
    senderId: sender,
    senderName: senderName.slice(0, longestIdentifier),
    messageId: eventId,
    ...(isTime ? { sentAt: new Date(sentAtMs) } : {}),
  };
}

/** A word about a question for consent, or about an answer. */
function toReaction(about: KnownEvent, target: string, key: string): Record<string, string> {
  // The sign that makes an emoji coloured says nothing.
  const word = about.question && words.get(key.replaceAll("\ufe0f", ""));
  if (about.question === undefined || word === undefined)
    return { reaction: key, reaction_to: target };
  const { toolCallId } = about.question;
  return { confirmation: word, ...(toolCallId === "" ? {} : { tool_call_id: toolCallId }) };
}
