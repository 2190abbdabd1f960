import type {
  API,
  APIMessageComponentInteraction,
  GatewayMessageReactionAddDispatchData,
} from "@discordjs/core/http-only";
import type { SessionInfo } from "@discordjs/ws";
import type { IncomingMessage } from "@opentalon/plugin-sdk";
import type { ChannelDirectory, Place } from "./channel-directory.ts";
import { explainProblem } from "./explain-problem.ts";
import { toName } from "./read-message.ts";

/** What people do without a word: they react to a message of the bot, or click a button below it. */

export interface ReadReactionOptions {
  readonly api: API;
  readonly botId: string;
  readonly directory: ChannelDirectory;
  /** The connection after the reaction. */
  readonly session: SessionInfo;
}

/** `undefined` when it is not to a message of the bot. Rejects when Discord does not answer. */
export async function readReaction(
  reaction: GatewayMessageReactionAddDispatchData,
  { api, botId, directory, session }: ReadReactionOptions,
): Promise<IncomingMessage | undefined> {
  const { channel_id: channelId, message_id: messageId, user_id: userId, emoji } = reaction;
  const authorId = reaction.message_author_id ?? (await findAuthor(api, channelId, messageId));
  if (authorId !== botId) return undefined;
  const place = await directory.find(channelId);
  const name = emoji.name ?? "";
  if (place === undefined || name === "") return undefined;
  // Reactions have no identifier and no time. Their place in the connection is the same when they come again.
  const occasion = `${session.sessionId.slice(0, 8)}.${session.sequence}`;
  return {
    ...toSignAddress(place),
    senderId: userId,
    ...(reaction.member === undefined
      ? {}
      : { senderName: reaction.member.nick ?? toName(reaction.member.user) }),
    content: "",
    messageId: `${messageId}:${name}:${userId}:${occasion}`,
    metadata: { ...toGroupMark(place), reaction: name, reaction_to: messageId },
  };
}

async function findAuthor(
  api: API,
  channelId: string,
  messageId: string,
): Promise<string | undefined> {
  try {
    return (await api.channels.getMessage(channelId, messageId)).author.id;
  } catch (error) {
    if (explainProblem(error).kind === "refused") return undefined;
    throw error;
  }
}

/** What the buttons carry: the answer, and which call it is about. */
export const buttonPattern = /^(approve|reject):(.*)$/s;

/** `undefined` when the button is none of ours. Rejects when Discord does not answer. */
export async function readClick(
  click: APIMessageComponentInteraction,
  directory: ChannelDirectory,
): Promise<IncomingMessage | undefined> {
  const [, confirmation = "", callId = ""] = buttonPattern.exec(click.data.custom_id) ?? [];
  const person = click.member?.user ?? click.user;
  const place = await directory.find(click.channel.id);
  if (confirmation === "" || person === undefined || place === undefined) return undefined;
  const call: Readonly<Record<string, string>> = callId === "" ? {} : { tool_call_id: callId };
  return {
    ...toSignAddress(place),
    senderId: person.id,
    senderName: click.member?.nick ?? toName(person),
    content: "",
    messageId: click.id,
    metadata: { ...toGroupMark(place), confirmation, ...call },
  };
}

function toSignAddress(
  place: Place,
): Pick<IncomingMessage, "conversationId"> & { readonly threadId?: string } {
  return place.parentId === ""
    ? { conversationId: place.id }
    : { conversationId: place.parentId, threadId: place.id };
}

function toGroupMark({ isDirect }: Place): Readonly<Record<string, string>> {
  return isDirect ? {} : { is_group: "true" };
}
