import { join } from "node:path";
import { GatewayIntentBits } from "@discordjs/core/http-only";
import type { ChannelContext, ChannelDefinition } from "@opentalon/plugin-sdk";
import { createAnswerPlaces } from "./answer-place.ts";
import { createChannelDirectory } from "./channel-directory.ts";
import { openChannelMemory } from "./channel-memory.ts";
import type { Clock } from "./clock.ts";
import { createDeliverer, type Deliverer } from "./deliver-message.ts";
import { createDiscordApi, type DiscordApi } from "./discord-api.ts";
import { explainProblem } from "./explain-problem.ts";
import { holdGateway } from "./gateway-link.ts";
import { createIntake } from "./intake.ts";
import { loadAttachments } from "./load-attachments.ts";
import { maxMessageLength } from "./message-body.ts";
import { readSettings, type Settings } from "./read-settings.ts";
import { createTypingIndicator, type TypingIndicator } from "./typing-indicator.ts";
import type { AnswerPlaces } from "./answer-place.ts";

export interface DiscordChannelOptions {
  /** A folder of its own, kept over restarts. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: (line: string) => void;
}

/** What is sent with while the channel runs. */
interface Voice {
  readonly deliverer: Deliverer;
  readonly places: AnswerPlaces;
  readonly typing: TypingIndicator;
}

const intents =
  GatewayIntentBits.Guilds |
  GatewayIntentBits.GuildMessages |
  GatewayIntentBits.GuildMessageReactions |
  GatewayIntentBits.DirectMessages |
  GatewayIntentBits.DirectMessageReactions |
  GatewayIntentBits.MessageContent;

const longestPauseMs = 60_000;
const stateFile = "discord.json";

/** Discord, as one bot. */
export function createDiscordChannel(options: DiscordChannelOptions): ChannelDefinition {
  const { folder, clock, log } = options;
  let settings: Settings | undefined;
  let voice: Voice | undefined;

  const start = async ({ receive, signal: stop }: ChannelContext): Promise<void> => {
    if (settings === undefined) throw new Error("the channel is not configured");
    const { repliesInThreads, apiUrl, token } = settings;
    const discord = createDiscordApi(settings);
    const { api, rest } = discord;
    const botId = await findBotId(discord, { clock, log, signal: stop });
    if (botId === undefined) return;
    // Also ends what belongs together when one part of it fails.
    const ending = new AbortController();
    const signal = AbortSignal.any([stop, ending.signal]);
    const memory = await openChannelMemory({ path: join(folder, stateFile), clock, log });
    const directory = createChannelDirectory({ api, botId });
    const places = createAnswerPlaces({ api, directory, log });
    const typing = createTypingIndicator({
      show: (channelId) => api.channels.showTyping(channelId).catch(() => undefined),
      clock,
    });
    const deliverer = createDeliverer({ api, directory, places, onSaid: typing.end, clock });
    const intake = createIntake({
      api,
      botId,
      repliesInThreads,
      directory,
      memory,
      loadAttachments: (attachments) => loadAttachments(attachments, { apiUrl, log, signal }),
      receive,
      onQuestion: places.note,
      onOwnMessage: deliverer.sawOwn,
      clock,
      log,
      signal,
    });
    voice = { deliverer, places, typing };
    const working = intake.work();
    try {
      const onDispatch = intake.take;
      await holdGateway({
        rest,
        token,
        intents,
        findSession: memory.session,
        onDispatch,
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
  };

  return {
    id: "discord",
    name: "Discord",
    capabilities: {
      threads: true,
      files: true,
      reactions: true,
      edits: true,
      liveUpdates: true,
      maxMessageLength,
      responseFormat: "discord",
    },
    onConfigure: (config) => {
      settings = readSettings(config);
    },
    start,
    send: (message, { signal }) => {
      if (voice === undefined) throw new Error("Discord is not connected yet");
      return voice.deliverer.send(message, signal);
    },
    typing: (place) => {
      voice?.typing.begin(voice.places.findOpen(place));
    },
  };
}

interface Waiting extends Pick<DiscordChannelOptions, "clock" | "log"> {
  readonly signal: AbortSignal;
}

/**
 * Waits until Discord says who the bot is; `undefined` when the signal aborts before.
 * @throws Error when Discord refuses the token.
 */
async function findBotId(
  { api, rest }: DiscordApi,
  { clock, log, signal }: Waiting,
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
  rest.clearHashSweeper();
  return undefined;
}
