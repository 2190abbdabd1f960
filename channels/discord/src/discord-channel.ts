import { join } from "node:path";
import { type API, GatewayIntentBits } from "@discordjs/core/http-only";
import type { ChannelContext, ChannelDefinition } from "@opentalon/plugin-sdk";
import { type AnswerPlaces, createAnswerPlaces } from "./answer-place.ts";
import { createChannelDirectory } from "./channel-directory.ts";
import { openChannelMemory } from "./channel-memory.ts";
import type { Clock } from "./clock.ts";
import { createDeliverer, type Deliverer } from "./deliver-message.ts";
import { createDiscordApi, type DiscordApi } from "./discord-api.ts";
import { explainProblem } from "./explain-problem.ts";
import { holdGateway } from "./gateway-link.ts";
import { createHandover } from "./handover.ts";
import { createIntake } from "./intake.ts";
import { loadAttachments } from "./load-attachments.ts";
import { maxMessageLength } from "./message-body.ts";
import { readSettings, type Settings } from "./read-settings.ts";
import { createTypingIndicator, type TypingIndicator } from "./typing-indicator.ts";

export interface DiscordChannelOptions {
  /** A folder of its own, kept over restarts. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: (line: string) => void;
}

/** What is said with while the channel runs. */
interface Voice {
  readonly deliverer: Deliverer;
  readonly places: AnswerPlaces;
  readonly typing: TypingIndicator;
}

const intents = [
  GatewayIntentBits.Guilds,
  GatewayIntentBits.GuildMessages,
  GatewayIntentBits.GuildMessageReactions,
  GatewayIntentBits.DirectMessages,
  GatewayIntentBits.DirectMessageReactions,
  GatewayIntentBits.MessageContent,
];

const longestPauseMs = 60_000;
const memoryFile = "discord.json";

/** Discord, as one bot. */
export function createDiscordChannel(options: DiscordChannelOptions): ChannelDefinition {
  let settings: Settings | undefined;
  let voice: Voice | undefined;
  return {
    id: "discord",
    name: "Discord",
    capabilities: {
      threads: true,
      files: true,
      reactions: true,
      edits: true,
      liveUpdates: true,
      knowsRepeats: true,
      maxMessageLength,
      responseFormat: "discord",
    },
    onConfigure: (config) => {
      settings = readSettings(config);
    },
    start: async (context) => {
      if (settings === undefined) throw new Error("the channel is not configured");
      const discord = createDiscordApi(settings);
      try {
        const botId = await findBotId(discord.api, { ...options, signal: context.signal });
        if (botId === undefined) return;
        const onVoice = (next: Voice): void => void (voice = next);
        await run({ ...options, settings, discord, botId, context, onVoice });
      } finally {
        discord.rest.clearHashSweeper();
        discord.rest.clearHandlerSweeper();
      }
    },
    send: (message, { signal }) => {
      if (voice === undefined) throw new Error("Discord is not connected yet");
      return voice.deliverer.send(message, signal);
    },
    typing: (place) => {
      voice?.typing.begin(voice.places.findOpen(place));
    },
  };
}

interface RunOptions extends DiscordChannelOptions {
  readonly settings: Settings;
  readonly discord: DiscordApi;
  readonly botId: string;
  readonly context: ChannelContext;
  /** From now on something can be said. */
  readonly onVoice: (voice: Voice) => void;
}

/** Listens until the channel has to stop. @throws Error in words for the operator when Discord refuses the bot. */
async function run(options: RunOptions): Promise<void> {
  const { folder, clock, log, settings, discord, botId, context, onVoice } = options;
  const { repliesInThreads, apiUrl, token } = settings;
  const { api, rest } = discord;
  // Also ends what works beside the connection when that fails.
  const ending = new AbortController();
  const signal = AbortSignal.any([context.signal, ending.signal]);
  const memory = await openChannelMemory({ path: join(folder, memoryFile), clock, log });
  const directory = createChannelDirectory({ api, botId });
  const places = createAnswerPlaces({ api, directory, log });
  const typing = createTypingIndicator({
    show: (channelId) => api.channels.showTyping(channelId).catch(() => undefined),
    clock,
  });
  const onSaid = typing.end;
  const deliverer = createDeliverer({ api, botId, directory, places, memory, onSaid, clock });
  const intake = createIntake({
    api,
    botId,
    repliesInThreads,
    directory,
    memory,
    loadAttachments: (attachments) => loadAttachments(attachments, { apiUrl, log, signal }),
    handover: createHandover({ receive: context.receive, signal }),
    onQuestion: places.note,
    onOwnMessage: deliverer.sawOwn,
    clock,
    log,
    signal,
  });
  onVoice({ deliverer, places, typing });
  const working = intake.work();
  try {
    await holdGateway({
      rest,
      token,
      intents,
      findSession: memory.session,
      onDispatch: intake.take,
      clock,
      log,
      signal,
    });
  } finally {
    ending.abort();
    typing.stop();
    await working;
    await memory.flush().catch((error: unknown) => log(String(error)));
  }
}

interface FindBotOptions extends Pick<DiscordChannelOptions, "clock" | "log"> {
  readonly signal: AbortSignal;
}

/**
 * Waits until Discord says who the bot is; `undefined` when the signal aborts before.
 * @throws Error in words for the operator when Discord refuses the token.
 */
async function findBotId(
  api: API,
  { clock, log, signal }: FindBotOptions,
): Promise<string | undefined> {
  for (let pauseMs = 1_000; !signal.aborted; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      return (await api.users.getCurrent({ signal })).id;
    } catch (error) {
      if (signal.aborted) break;
      const { kind, words } = explainProblem(error);
      if (kind !== "passing") throw new Error(words, { cause: error });
      log(`not connected to Discord: ${words}; trying again in ${pauseMs / 1_000} s`);
      await clock.sleep(pauseMs, signal);
    }
  }
  return undefined;
}
