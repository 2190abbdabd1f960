import { type APIMessage, type APIUser, MessageType } from "@discordjs/core/http-only";
import type { IncomingMessage } from "@opentalon/plugin-sdk";
import type { ChannelDirectory, Place } from "./channel-directory.ts";

/** A message as Discord tells it, over the gateway or when it is asked. */
export type DiscordMessage = APIMessage & {
  /** Over the gateway: the name of the person in the server. */
  readonly member?: { readonly nick?: string | null };
};

export type Question = IncomingMessage & { readonly messageId: string };

export interface ReadMessageOptions {
  readonly botId: string;
  readonly directory: ChannelDirectory;
  readonly repliesInThreads: boolean;
}

const talkingTypes: ReadonlySet<MessageType> = new Set([MessageType.Default, MessageType.Reply]);
const maxQuoteLength = 2_000;

/**
 * The message as OpenTalon takes it, its files aside; `undefined` when it is none for the bot: in servers it answers when
 * it is mentioned, its role is, or its own message is replied to, and in threads it takes part in.
 */
export async function readMessage(
  message: DiscordMessage,
  place: Place,
  options: ReadMessageOptions,
): Promise<Question | undefined> {
  const { author, type } = message;
  if (author.bot === true || author.system === true || message.webhook_id !== undefined)
    return undefined;
  if (!talkingTypes.has(type)) return undefined;
  const ownRole =
    !place.isDirect && message.mention_roles.length > 0
      ? await options.directory.findOwnRole(place.guildId)
      : "";
  if (!place.isDirect && !place.isJoined && !isMeant(message, options.botId, ownRole))
    return undefined;
  const content = toContent(message, options.botId, ownRole);
  if (content === "" && collectAttachments(message, options.botId).length === 0) return undefined;
  return {
    ...toAddress(message, place, options),
    senderId: author.id,
    senderName: message.member?.nick ?? toName(author),
    content,
    messageId: message.id,
    metadata: place.isDirect ? {} : { is_group: "true" },
    sentAt: new Date(message.timestamp),
  };
}

/** Where a person reads an answer to something that happened in a place. */
export function toAddress(
  { id }: Pick<DiscordMessage, "id">,
  place: Place,
  { repliesInThreads }: Pick<ReadMessageOptions, "repliesInThreads">,
): Pick<IncomingMessage, "conversationId" | "threadId"> {
  if (place.parentId !== "") return { conversationId: place.parentId, threadId: place.id };
  // A thread below a message has the identifier of the message.
  const threadId = repliesInThreads && place.takesThreads ? id : "";
  return { conversationId: place.id, threadId };
}

export function toName({
  global_name,
  username,
}: Pick<APIUser, "global_name" | "username">): string {
  return global_name ?? username;
}

function isMeant(message: DiscordMessage, botId: string, ownRole: string): boolean {
  return (
    message.mentions.some(({ id }) => id === botId) ||
    (ownRole !== "" && message.mention_roles.includes(ownRole)) ||
    (message.type === MessageType.Reply && message.referenced_message?.author.id === botId)
  );
}

/** A forwarded message has its text and files in a snapshot. */
function collectParts(
  message: DiscordMessage,
): readonly Pick<APIMessage, "content" | "attachments">[] {
  return [message, ...(message.message_snapshots ?? []).map((snapshot) => snapshot.message)];
}

/** The files that belong to what is asked: those of the message, or of the one it points at when it says nothing itself. */
export function collectAttachments(
  message: DiscordMessage,
  botId: string,
): readonly APIMessage["attachments"][number][] {
  const own = collectParts(message).flatMap(({ attachments }) => attachments);
  return own.length > 0 ? own : (findPointedAt(message, botId)?.attachments ?? []);
}

function toContent(message: DiscordMessage, botId: string, ownRole: string): string {
  const words = toOwnWords(message, botId, ownRole);
  if (words !== "" || message.attachments.length > 0) return words;
  const stickers = (message.sticker_items ?? []).map(({ name }) => `[sticker: ${name}]`).join(" ");
  if (stickers !== "") return stickers;
  const pointedAt = findPointedAt(message, botId);
  if (pointedAt === undefined) return "";
  const quoted = readable(pointedAt.content, pointedAt.mentions).slice(0, maxQuoteLength).trim();
  // Marked as the words of somebody else: they must not count as a command or a yes of this person.
  return quoted === "" ? "" : quoted.replaceAll(/^/gm, "> ");
}

function toOwnWords(message: DiscordMessage, botId: string, ownRole: string): string {
  const text = collectParts(message)
    .map(({ content }) => content)
    .filter((content) => content !== "")
    .join("\n\n");
  const addressed = new RegExp(`<@!?${botId}>${ownRole === "" ? "" : `|<@&${ownRole}>`}`, "g");
  return readable(text.replaceAll(addressed, ""), message.mentions).trim();
}

/** The message a person replies to, where their own is nothing but a mention. */
function findPointedAt(message: DiscordMessage, botId: string): APIMessage | undefined {
  const { referenced_message: pointedAt } = message;
  const isBare = message.content.replaceAll(/<@[!&]?\d+>/g, "").trim() === "";
  const isThere = isBare && pointedAt !== undefined && pointedAt !== null;
  return isThere && pointedAt.author.id !== botId ? pointedAt : undefined;
}

/** Mentions by name, and emoji of servers by theirs. */
function readable(text: string, people: readonly APIUser[]): string {
  return text
    .replaceAll(/<@!?(\d+)>/g, (mention, id: string) => {
      const person = people.find((each) => each.id === id);
      return person === undefined ? mention : `@${toName(person)}`;
    })
    .replaceAll(/<a?:(\w{2,32}):\d+>/g, ":$1:");
}
