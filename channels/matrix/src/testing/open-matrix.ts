import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  ChannelDefinition,
  IncomingMessage,
  OutgoingMessage,
  PostedMessage,
} from "@opentalon/plugin-sdk";
import { createMatrixChannel } from "../matrix-channel.ts";
import { systemClock, type Clock } from "../patience.ts";
import { eventually } from "./eventually.ts";
import { bot, type HomeserverStub } from "./homeserver-stub.ts";

export interface OpenMatrixOptions {
  readonly homeserver: HomeserverStub;
  readonly config?: Readonly<Record<string, unknown>>;
  /** What an earlier one left; a fresh folder unless said. */
  readonly folder?: string;
  readonly clock?: Clock;
  /** What becomes of a message; stored unless said. */
  readonly onReceive?: (message: IncomingMessage) => Promise<void>;
}

/** The channel, started in this process, with a host that keeps what it is handed. */
export interface OpenMatrix extends AsyncDisposable {
  readonly channel: ChannelDefinition;
  readonly folder: string;
  readonly received: readonly IncomingMessage[];
  readonly contents: () => readonly string[];
  readonly log: readonly string[];
  readonly send: (
    message: Partial<OutgoingMessage> & { readonly conversationId: string },
  ) => Promise<PostedMessage>;
  /** Resolves once what people write from now on is heard. */
  readonly listening: () => Promise<void>;
  /** Resolves when the channel has ended; with what it threw. */
  readonly ended: Promise<unknown>;
  /** Stops it and leaves the folder. */
  readonly stop: () => Promise<void>;
}

let deliveries = 0;

export async function openMatrix(options: OpenMatrixOptions): Promise<OpenMatrix> {
  const { homeserver, config, clock = systemClock, onReceive } = options;
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "opentalon-test-")));
  const received: IncomingMessage[] = [];
  const log: string[] = [];
  const channel = createMatrixChannel({ folder, fetch, clock, log: (line) => log.push(line) });
  await channel.onConfigure?.(
    config ?? { homeserver: homeserver.url, access_token: bot.token },
    "matrix",
  );
  const syncs = (): number =>
    homeserver.calls(/\/sync$/).filter(({ query }) => query.has("since")).length;
  const syncsBefore = syncs();
  const stopping = new AbortController();
  const { signal } = stopping;
  const stopped = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve());
  });
  const receive = async (message: IncomingMessage): Promise<void> => {
    await Promise.race([onReceive?.(message), stopped]);
    if (signal.aborted) throw new Error("the channel is being stopped");
    received.push(message);
  };
  const ended = Promise.resolve(
    channel.start({ receive, stopped, signal, instanceId: "matrix" }),
  ).then(
    () => undefined,
    (error: unknown) => error,
  );
  const stop = async (): Promise<void> => {
    stopping.abort();
    await ended;
  };
  return {
    channel,
    folder,
    received,
    contents: () => received.map(({ content }) => content),
    log,
    send: async (message) => {
      const whole: OutgoingMessage = {
        threadId: "",
        content: "",
        files: [],
        metadata: {},
        deliveryId: `delivery-${(deliveries += 1)}`,
        ...message,
      };
      return (
        (await channel.send(whole, { signal: AbortSignal.timeout(25_000) })) ?? { messageIds: [] }
      );
    },
    listening: () =>
      eventually(() => {
        if (syncs() === syncsBefore) throw new Error(`it does not listen: ${log.join("; ")}`);
      }),
    ended,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
