import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChannelDefinition, IncomingMessage, OutgoingMessage } from "@opentalon/plugin-sdk";
import { createEmailChannel } from "../email-channel.ts";

/** The channel in this process, with a host that keeps what it is handed. */
export interface RunningChannel extends AsyncDisposable {
  readonly channel: ChannelDefinition;
  readonly messages: readonly IncomingMessage[];
  readonly log: readonly string[];
  /** Answers the last message, or as the test says. */
  readonly answer: (content: string, more?: Partial<OutgoingMessage>) => Promise<readonly string[]>;
  /** What `start` came to; `undefined` while it runs. */
  readonly ended: Promise<Error | undefined>;
  readonly stop: () => Promise<void>;
}

export interface RunOptions {
  readonly config: Readonly<Record<string, unknown>>;
  /** Kept by the caller, for another start. */
  readonly folder?: string;
  readonly receive?: (message: IncomingMessage) => Promise<void>;
  readonly pollIntervalMs?: number;
  readonly now?: () => number;
}

export async function runChannel(options: RunOptions): Promise<RunningChannel> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "opentalon-test-")));
  const messages: IncomingMessage[] = [];
  const log: string[] = [];
  const channel = createEmailChannel({
    folder,
    log: (line) => log.push(line),
    now: options.now ?? Date.now,
    // Nobody waits for servers here longer than it takes to come back.
    sleep: () => new Promise((resolve) => setTimeout(resolve, 5)),
    ...(options.pollIntervalMs === undefined ? {} : { pollIntervalMs: options.pollIntervalMs }),
  });
  await channel.onConfigure?.(options.config, "mail");
  const stopping = new AbortController();
  const { signal } = stopping;
  const stopped = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  const receive = async (message: IncomingMessage): Promise<void> => {
    await options.receive?.(message);
    messages.push(message);
  };
  const started = channel.start({ receive, stopped, signal, instanceId: "mail" });
  const ended = Promise.resolve(started).then(
    () => undefined,
    (error: unknown) => error as Error,
  );
  let deliveries = 0;
  const stop = async (): Promise<void> => {
    stopping.abort();
    await ended;
  };
  return {
    channel,
    messages,
    log,
    ended,
    stop,
    answer: async (content, more = {}) => {
      const last = messages.at(-1);
      deliveries += 1;
      const message: OutgoingMessage = {
        conversationId: last?.conversationId ?? "ann@example.com",
        threadId: last?.threadId ?? "",
        deliveryId: `d${deliveries}`,
        content,
        files: [],
        metadata: { in_reply_to: last?.messageId ?? "" },
        ...more,
      };
      const posted = await channel.send(message, { signal: new AbortController().signal });
      return posted?.messageIds ?? [];
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      if (options.folder === undefined) await rm(folder, { recursive: true });
    },
  };
}
