import { type API, ChannelType } from "@discordjs/core/http-only";
import { explainProblem } from "./explain-problem.ts";
import { createRecentMap } from "./recent-map.ts";

/** A channel of Discord: a room, a thread, or the direct messages of one person. */
export interface Place {
  readonly id: string;
  readonly isDirect: boolean;
  readonly guildId: string;
  /** The channel a thread belongs to; empty for others. */
  readonly parentId: string;
  /** A thread the bot takes part in: it was mentioned there, or has written there. */
  readonly isJoined: boolean;
  /** Threads can be opened below its messages. */
  readonly takesThreads: boolean;
}

/** What Discord tells of a channel, as far as it matters here. */
export interface ChannelFacts {
  readonly id: string;
  readonly type: ChannelType;
  readonly guild_id?: string | undefined;
  readonly parent_id?: string | null | undefined;
  /** There when the bot has joined the thread. */
  readonly member?: unknown;
}

/** What the bot knows of channels and of its role in servers; asked for when it is needed, forgotten when it is many. */
export interface ChannelDirectory {
  /** `undefined` where the bot may not look, or there is no such channel. Rejects when Discord does not answer. */
  readonly find: (channelId: string) => Promise<Place | undefined>;
  /** Discord's own word for it, which may be newer. */
  readonly learn: (facts: ChannelFacts) => Place;
  readonly setJoined: (threadId: string, isJoined: boolean) => void;
  readonly forget: (channelId: string) => void;
  /** The role that a server made for the bot alone; empty when there is none. Rejects when Discord does not answer. */
  readonly findOwnRole: (guildId: string) => Promise<string>;
}

const maxPlaces = 5_000;
const maxGuilds = 1_000;
const threadTypes: ReadonlySet<ChannelType> = new Set([
  ChannelType.AnnouncementThread,
  ChannelType.PublicThread,
  ChannelType.PrivateThread,
]);
const parentTypes: ReadonlySet<ChannelType> = new Set([
  ChannelType.GuildText,
  ChannelType.GuildAnnouncement,
]);

export function createChannelDirectory({
  api,
  botId,
}: {
  readonly api: API;
  readonly botId: string;
}): ChannelDirectory {
  const places = createRecentMap<Place>(maxPlaces);
  const roles = createRecentMap<string>(maxGuilds);

  const learn: ChannelDirectory["learn"] = ({ id, type, guild_id, parent_id, member }) => {
    const isThread = threadTypes.has(type);
    const place: Place = {
      id,
      isDirect: type === ChannelType.DM,
      guildId: guild_id ?? "",
      parentId: isThread ? (parent_id ?? "") : "",
      isJoined: isThread && member !== undefined && member !== null,
      takesThreads: parentTypes.has(type),
    };
    places.set(id, place);
    return place;
  };

  return {
    learn,
    find: async (channelId) => {
      const known = places.get(channelId);
      if (known !== undefined) return known;
      try {
        return learn(await api.channels.get(channelId));
      } catch (error) {
        if (explainProblem(error).kind === "refused") return undefined;
        throw error;
      }
    },
    setJoined: (threadId, isJoined) => {
      const place = places.get(threadId);
      if (place !== undefined) places.set(threadId, { ...place, isJoined });
    },
    forget: (channelId) => places.delete(channelId),
    findOwnRole: async (guildId) => {
      const known = roles.get(guildId);
      if (known !== undefined) return known;
      try {
        const all = await api.guilds.getRoles(guildId);
        const own = all.find(({ tags }) => tags?.bot_id === botId)?.id ?? "";
        roles.set(guildId, own);
        return own;
      } catch (error) {
        if (explainProblem(error).kind === "refused") return "";
        throw error;
      }
    },
  };
}
