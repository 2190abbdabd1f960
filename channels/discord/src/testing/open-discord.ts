import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IncomingMessage, OutgoingMessage, PostedMessage } from "@opentalon/plugin-sdk";
import { type Clock, systemClock } from "../clock.ts";
import { createDiscordChannel } from "../discord-channel.ts";
import { discordBot, type DiscordStub, ids } from "./discord-stub.ts";

export interface OpenDiscordOptions {
  readonly discord: DiscordStub;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly clock?: Clock;
  /** Of an earlier run, which keeps it; else it is removed at the end. */
  readonly folder?: string;
  readonly receive?: (message: IncomingMessage) => Promise<void>;
}

/** The channel in this process, with a host that keeps what it is given. */
export interface OpenDiscord extends AsyncDisposable {
  readonly folder: string;
  readonly received: readonly IncomingMessage[];
  readonly contents: () => readonly string[];
  readonly log: readonly string[];
  readonly send: (
    content: string,
    more?: Partial<OutgoingMessage>,
  ) => Promise<PostedMessage | undefined>;
  readonly type: (place: { conversationId: string; threadId: string }) => void;
  /** Ends it in good order; rejects as its start does. */
  readonly stop: () => Promise<void>;
  /** How its start ends. */
  readonly ended: Promise<void>;
}

let deliveries = 0;

/** Resolves once it is connected, unless its start fails. */
export async function openDiscord(options: OpenDiscordOptions): Promise<OpenDiscord> {
  const { discord, config = {}, clock = systemClock } = options;
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "opentalon-test-")));
  const received: IncomingMessage[] = [];
  const log: string[] = [];
  const channel = createDiscordChannel({ folder, clock, log: (line) => void log.push(line) });
  await channel.onConfigure?.(
    { bot_token: discordBot.token, api_url: discord.apiUrl, ...config },
    "discord",
  );
  const stopping = new AbortController();
  const { signal } = stopping;
  const ended = Promise.resolve(
    channel.start({
      receive: async (message) => {
        await options.receive?.(message);
        if (signal.aborted) throw new Error("the channel is being stopped");
        received.push(message);
      },
      stopped: new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
      }),
      signal,
      instanceId: "discord",
    }),
  );
  ended.catch(() => undefined);
  await Promise.race([discord.gateway.connected(), ended.catch(() => undefined)]);
  const stop = (): Promise<void> => {
    stopping.abort();
    return ended;
  };
  return {
    folder,
    received,
    contents: () => received.map(({ content }) => content),
    log,
    send: async (content, more = {}) =>
      (await channel.send(
        {
          conversationId: ids.direct,
          threadId: "",
          deliveryId: `delivery-${(deliveries += 1)}`,
          content,
          files: [],
          metadata: {},
          ...more,
        },
        { signal: new AbortController().signal },
      )) ?? undefined,
    type: (place) => void channel.typing?.(place),
    stop,
    ended,
    [Symbol.asyncDispose]: async () => {
      await stop().catch(() => undefined);
      if (options.folder === undefined) await rm(folder, { recursive: true });
    },
  };
}
