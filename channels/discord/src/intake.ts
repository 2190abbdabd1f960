import {
  type API,
  type APIMessageComponentInteraction,
  type GatewayDispatchPayload,
  GatewayDispatchEvents,
  type GatewayGuildCreateDispatchData,
  type GatewayMessageCreateDispatchData,
  type GatewayMessageReactionAddDispatchData,
  InteractionType,
  ChannelType,
} from "@discordjs/core/http-only";
import type { SessionInfo } from "@discordjs/ws";
import {
  findMissedStart,
  type ListedChannel,
  maxMissed,
  readMissed,
  toReadOn,
} from "./catch-up.ts";
import type { ChannelDirectory, ChannelFacts, Place } from "./channel-directory.ts";
import type { ChannelMemory, Progress } from "./channel-memory.ts";
import type { Clock } from "./clock.ts";
import { createEventLine, type Task } from "./event-line.ts";
import type { Handover } from "./handover.ts";
import type { LoadedAttachments } from "./load-attachments.ts";
import {
  collectAttachments,
  type DiscordMessage,
  type Question,
  readMessage,
} from "./read-message.ts";
import { readClick, readReaction } from "./read-signs.ts";
import { createRecentMap } from "./recent-map.ts";
import { isNewer, toSnowflake } from "./snowflake.ts";

export interface IntakeOptions {
  readonly api: API;
  readonly botId: string;
  readonly repliesInThreads: boolean;
  readonly directory: ChannelDirectory;
  readonly memory: ChannelMemory;
  readonly loadAttachments: (
    attachments: ReturnType<typeof collectAttachments>,
  ) => Promise<LoadedAttachments>;
  readonly handover: Handover;
  /** A question goes in: its words may name a thread. */
  readonly onQuestion: (question: Question) => void;
  /** The bot's own message is there. */
  readonly onOwnMessage: (message: GatewayMessageCreateDispatchData) => void;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** What comes over the gateway, handed over one after another, and what was missed, looked up. */
export interface Intake {
  readonly take: (payload: GatewayDispatchPayload, session: SessionInfo) => void;
  /** Works until the signal aborts. Never rejects. */
  readonly work: () => Promise<void>;
}

/** Messages that are left out now are read later; for the rest there is more room. */
const maxWaitingMessages = 512;
const maxWaitingSigns = 1_024;
const maxHandled = 5_000;
/** Channels that are read on at once. */
const parallelReads = 10;

export function createIntake(options: IntakeOptions): Intake {
  const { api, botId, directory, memory, handover, clock, log, signal } = options;
  /** Messages that need not be looked at again. */
  const handled = createRecentMap<true>(maxHandled);
  /** Channels of which messages were left out, with the first of those. */
  const arrears = new Map<string, string>();
  /** The channel that is read on next, once there is room. */
  let owed: string | undefined;
  /** How far things were when the session of a shard began: what is newer was missed. */
  const missedSince = new Map<number, Progress>();
  const atStart = memory.progress();
  let isOverflowTold = false;

  const takeMessage = async (message: DiscordMessage, place: Place): Promise<void> => {
    if (handled.get(message.id) === true) return;
    const question = await readMessage(message, place, options);
    if (question !== undefined) await hand(question, message);
    handled.set(message.id, true);
    // What was left out is older: until it is read the channel has not come further.
    if (arrears.has(message.channel_id) || owed === message.channel_id) return;
    handover.whenSafe(() => memory.passed(message.channel_id, message.id, place.isDirect));
  };

  const hand = async (question: Question, message: DiscordMessage): Promise<void> => {
    const { files, note } = await options.loadAttachments(collectAttachments(message, botId));
    const content = [question.content, note].filter((text) => text !== "").join("\n\n");
    if (signal.aborted) return;
    options.onQuestion(question);
    await handover.give({ ...question, content, files });
  };

  const readOn = async (channelId: string, after: string, limit = maxMissed): Promise<void> => {
    const place = await directory.find(channelId);
    if (place === undefined) return;
    const take = (message: DiscordMessage): Promise<void> => takeMessage(message, place);
    await readMissed({ api, channelId, after, limit, take, log });
  };

  const onMessage = (message: GatewayMessageCreateDispatchData): Task | undefined => {
    if (message.author.id === botId) {
      options.onOwnMessage(message);
      return undefined;
    }
    if (message.author.bot === true) return undefined;
    return async () => {
      const place =
        message.guild_id === undefined
          ? directory.learn({ id: message.channel_id, type: ChannelType.DM })
          : ((await directory.find(message.channel_id)) ?? toUnknownPlace(message));
      await takeMessage(message, place);
    };
  };

  const onReaction = (
    reaction: GatewayMessageReactionAddDispatchData,
    session: SessionInfo,
  ): Task | undefined => {
    if (reaction.user_id === botId || reaction.member?.user.bot === true) return undefined;
    const { message_author_id: authorId } = reaction;
    if (authorId !== undefined && authorId !== botId) return undefined;
    return async () => {
      const sign = await readReaction(reaction, { api, botId, directory, session });
      if (sign !== undefined) await handover.give(sign);
    };
  };

  const onClick = (click: APIMessageComponentInteraction): Task => {
    // Discord shows a click as failed that is not acknowledged within three seconds.
    api.interactions.deferMessageUpdate(click.id, click.token).catch(() => undefined);
    return async () => {
      const sign = await readClick(click, directory);
      if (sign !== undefined) await handover.give(sign);
    };
  };

  /** Direct messages are not listed: those that were talked in are asked for. */
  const onReady = (shardId: number): Task => {
    let base: Progress | undefined;
    return async () => {
      // Tried again, it goes by what was known the first time.
      base ??= memory.progress();
      missedSince.set(shardId, base);
      const nowMs = clock.now();
      memory.beginAt(toSnowflake(nowMs));
      const direct = [...base.channels].filter(([, { isDirect }]) => isDirect);
      while (direct.length > 0 && !signal.aborted) {
        const some = direct.splice(0, parallelReads).map(([id, { lastId }]) => {
          directory.learn({ id, type: ChannelType.DM });
          return readOn(id, toReadOn(lastId, nowMs));
        });
        await Promise.all(some);
      }
    };
  };

  /** Of channels in servers Discord tells the newest message: only those with something new are read. */
  const onGuild = (guild: GatewayGuildCreateDispatchData, shardId: number): Task | undefined => {
    if (guild.unavailable === true) return undefined;
    const heard: ListedChannel[] = [];
    for (const facts of [...guild.channels, ...guild.threads]) {
      directory.learn({ ...(facts as ChannelFacts), guild_id: guild.id });
      const { id, last_message_id: lastId } = facts as ListedChannel;
      if (typeof lastId === "string") heard.push({ id, last_message_id: lastId });
    }
    if (heard.length === 0) return undefined;
    const joinedAtMs = Date.parse(guild.joined_at);
    return async () => {
      const base = missedSince.get(shardId) ?? atStart;
      for (const channel of heard) {
        const after = findMissedStart(channel, base, { joinedAtMs, nowMs: clock.now() });
        if (after !== undefined && !signal.aborted) await readOn(channel.id, after);
      }
    };
  };

  const toTask = (payload: GatewayDispatchPayload, session: SessionInfo): Task | undefined => {
    switch (payload.t) {
      case GatewayDispatchEvents.MessageCreate:
        return onMessage(payload.d);
      case GatewayDispatchEvents.MessageReactionAdd:
        return onReaction(payload.d, session);
      case GatewayDispatchEvents.InteractionCreate:
        return payload.d.type === InteractionType.MessageComponent ? onClick(payload.d) : undefined;
      case GatewayDispatchEvents.Ready:
        return onReady(session.shardId);
      case GatewayDispatchEvents.GuildCreate:
        return onGuild(payload.d, session.shardId);
      default:
        learnFrom(payload, directory, botId);
        return undefined;
    }
  };

  const takeArrears = (): Task | undefined => {
    for (const [channelId, firstId] of arrears) {
      arrears.delete(channelId);
      owed = channelId;
      const seenId = memory.progress().channels.get(channelId)?.lastId ?? firstId;
      const from = isNewer(firstId, seenId) ? seenId : firstId;
      return () => {
        owed = undefined;
        return readOn(channelId, toReadOn(from, clock.now()), Number.POSITIVE_INFINITY);
      };
    }
    isOverflowTold = false;
    return undefined;
  };

  const line = createEventLine({
    calmBelow: maxWaitingMessages / 2,
    onDone: (sessions) => handover.whenSafe(() => sessions.forEach(memory.reached)),
    takeArrears,
    clock,
    log,
    signal,
  });

  return {
    take: (payload, session) => {
      if (line.push(session, toTask(payload, session), toRoom(payload))) return;
      if (!isOverflowTold) log("more is written than OpenTalon takes; messages are read later");
      isOverflowTold = true;
      if (payload.t !== GatewayDispatchEvents.MessageCreate) return;
      const { channel_id: channelId, id } = payload.d;
      const first = arrears.get(channelId);
      if (first === undefined || isNewer(first, id)) arrears.set(channelId, id);
    },
    work: line.work,
  };
}

/** Tasks that may wait before one like this is left out; what looks up the past is never. */
function toRoom({ t: type }: GatewayDispatchPayload): number {
  switch (type) {
    case GatewayDispatchEvents.MessageCreate:
      return maxWaitingMessages;
    case GatewayDispatchEvents.MessageReactionAdd:
    case GatewayDispatchEvents.InteractionCreate:
      return maxWaitingSigns;
    default:
      return Number.POSITIVE_INFINITY;
  }
}

/** A channel the bot hears of and may not look at. */
function toUnknownPlace(message: GatewayMessageCreateDispatchData): Place {
  return {
    id: message.channel_id,
    isDirect: false,
    guildId: message.guild_id ?? "",
    parentId: "",
    isJoined: false,
    takesThreads: false,
  };
}

/** What else is told of channels and threads. */
function learnFrom(
  payload: GatewayDispatchPayload,
  directory: ChannelDirectory,
  botId: string,
): void {
  switch (payload.t) {
    case GatewayDispatchEvents.ChannelCreate:
    case GatewayDispatchEvents.ThreadCreate:
      directory.learn(payload.d);
      return;
    // Changes do not say whether the bot has joined: what is known is asked for again when it matters.
    case GatewayDispatchEvents.ChannelDelete:
    case GatewayDispatchEvents.ChannelUpdate:
    case GatewayDispatchEvents.ThreadDelete:
    case GatewayDispatchEvents.ThreadUpdate:
      directory.forget(payload.d.id);
      return;
    case GatewayDispatchEvents.ThreadMembersUpdate: {
      const { id, added_members: added = [], removed_member_ids: removed = [] } = payload.d;
      if (added.some(({ user_id: userId }) => userId === botId)) directory.setJoined(id, true);
      if (removed.includes(botId)) directory.setJoined(id, false);
      return;
    }
    default:
  }
}
