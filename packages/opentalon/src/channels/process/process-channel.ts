import { randomUUID } from "node:crypto";
import { createBackoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { untilAborted } from "../../base/deadline.ts";
import { formatDuration } from "../../base/duration.ts";
import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import {
  type Channel,
  type ChannelHost,
  plainCapabilities,
  type SentMessage,
} from "../../domain/channel.ts";
import type { InboundMessage, OutboundMessage } from "../../domain/message.ts";
import { createRestartPolicy } from "../../plugins/restart-policy.ts";
import { DeliveryError } from "../delivery-error.ts";
import { formatMessage } from "../format/format-message.ts";
import type { OpenChannelEndpoint } from "./channel-endpoint.ts";
import type { ChannelSession } from "./channel-session.ts";
import { openChannelSession } from "./channel-session.ts";
import type { ReportedChannel, WireMessage } from "./channel-wire.ts";
import { createLiveUpdates } from "./live-updates.ts";
import { toChannelWords } from "./to-channel-words.ts";
import { toInboundMessage, withPlatformIdentity } from "./to-inbound-message.ts";

export interface ProcessChannelOptions {
  /** Instance name: the key under `channels:`. */
  readonly name: string;
  readonly kind: "binary" | "grpc" | "docker";
  /** The entry's `config`, handed to the channel as it is. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly openEndpoint: OpenChannelEndpoint;
  /** It has the terminal of this program: when it ends its stream, the person has left. */
  readonly ownsTerminal?: boolean | undefined;
  /** Pauses between starts grow to this; five minutes, or half a minute for one that runs elsewhere, when absent. */
  readonly longestDelayMs?: number | undefined;
  readonly maxMessageBytes: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** A start takes this much of the start of the program; what takes longer goes on beside it. */
const startGraceMs = 10_000;
const longestOwnDelayMs = 300_000;
const longestRemoteDelayMs = 30_000;
const firstRetakeMs = 100;
const slowestRetakeMs = 10_000;

/**
 * A channel that is a program of its own: a process, a container, or one that runs elsewhere. It is started, and started
 * again whenever it ends, hangs or breaks its connection, with pauses that grow while nothing gets done; what people wrote to it meanwhile is its own
 * to keep. What it hands over is taken one message after the other, as fast as they are stored.
 */
export function createProcessChannel(options: ProcessChannelOptions): Channel {
  const { name, kind, ownsTerminal = false, clock, log } = options;
  const longestDelayMs =
    options.longestDelayMs ?? (kind === "grpc" ? longestRemoteDelayMs : longestOwnDelayMs);
  const policy = createRestartPolicy({ restarts: true, maxInRow: 0, longestDelayMs, clock });
  const ending = new AbortController();
  const intake = new AbortController();
  let session: ChannelSession | undefined;
  let known: ReportedChannel | undefined;
  let tools: ChannelSession["tools"] = [];
  let problem: string | undefined = "it is not started yet";
  let living: Promise<void> = Promise.resolve();
  /** Something was handed over or delivered since the last start: what ends then is missed, and comes back soon. */
  let hasWorked = false;

  const sendNow = async (message: OutboundMessage, deliveryId: string): Promise<SentMessage> => {
    if (session === undefined) {
      const why = `the channel "${name}" does not run: ${problem ?? "it is starting"}`;
      throw new DeliveryError(why, { outcome: "not-delivered" });
    }
    const sent = await session.send(withPlatformIdentity(message), deliveryId);
    hasWorked = true;
    return sent;
  };

  const live = createLiveUpdates({
    reported: () => (session === undefined ? undefined : known),
    post: async (message) => void (await sendNow(message, randomUUID())),
    clock,
  });

  /** Never rejects: what becomes of a message is said to whoever wrote it, when it cannot be stored at all. */
  const take = async (
    host: ChannelHost,
    message: Omit<InboundMessage, "channel">,
  ): Promise<boolean> => {
    const backoff = createBackoff({ initialMs: firstRetakeMs, maxMs: slowestRetakeMs });
    for (let isFirst = true; ; isFirst = false) {
      if (intake.signal.aborted) {
        await untilEnd(ending.signal);
        return false;
      }
      const outcome = await untilAborted(ending.signal, host.accept(message)).catch(
        () => undefined,
      );
      if (outcome === undefined) return false;
      if (outcome.kind === "accepted") hasWorked = true;
      if (outcome.kind !== "refused") return true;
      if (outcome.retryAfterMs <= 0) {
        log.warn({ reason: outcome.reason }, "a message cannot be taken");
        await explainRefusal(message, outcome.reason);
        return true;
      }
      if (isFirst) log.warn({ reason: outcome.reason }, "a message waits until it can be stored");
      await clock.sleep(
        Math.max(backoff.nextMs(), Math.min(outcome.retryAfterMs, slowestRetakeMs)),
        ending.signal,
      );
      if (ending.signal.aborted) return false;
    }
  };

  const explainRefusal = async (
    { conversationId, threadId, platformMessageId }: Omit<InboundMessage, "channel">,
    reason: string,
  ): Promise<void> => {
    if (conversationId === "") return;
    const metadata = {
      in_reply_to: platformMessageId,
      type: "error",
      error_code: "internal_error",
    };
    const content = `This message was not taken: ${reason}.`;
    const words = { channel: name, conversationId, threadId, content, files: [], metadata };
    const explanation = formatMessage(words, known?.capabilities ?? plainCapabilities);
    await sendNow(explanation, randomUUID()).catch((error: unknown) =>
      log.warn({ problem: toMessage(error) }, "nobody could be told that a message was not taken"),
    );
  };

  const receive = (opened: ChannelSession, host: ChannelHost): Promise<void> => {
    const connection = randomUUID();
    let sequence = 0;
    return opened.receive((message: WireMessage) => {
      sequence += 1;
      const origin = { kind: opened.reported.id, connection, sequence, nowMs: clock.now() };
      return take(host, toInboundMessage(message, origin));
    });
  };

  /** One life; the reason why it is over, `undefined` when it ended by itself. */
  const liveOnce = async (host: ChannelHost, onReady: () => void): Promise<string | undefined> => {
    let opened: ChannelSession | undefined;
    try {
      opened = await openChannelSession(options, ending.signal);
      session = opened;
      known = opened.reported;
      ({ tools } = opened);
      problem = undefined;
      policy.ready();
      host.toolsChanged?.();
      log.info({ name: known.name, platform: known.id, tools: tools.length }, "Channel ready");
      onReady();
      await receive(opened, host);
      return undefined;
    } catch (error) {
      return toChannelWords(name, toMessage(error));
    } finally {
      session = undefined;
      await opened?.stop();
    }
  };

  const liveOn = async (host: ChannelHost, onSettled: () => void): Promise<void> => {
    while (!ending.signal.aborted) {
      problem ??= "it is starting";
      const failure = await liveOnce(host, onSettled);
      if (ending.signal.aborted) break;
      if (failure === undefined && ownsTerminal) {
        problem = "the terminal it had ended";
        log.info("the channel at the terminal has ended");
        host.finished();
        break;
      }
      const why = failure ?? `the channel "${name}" ended its stream of messages`;
      if (hasWorked) policy.reset();
      hasWorked = false;
      const verdict = policy.next();
      const delayMs = verdict.kind === "retry" ? verdict.delayMs : longestDelayMs;
      problem = `${why}; trying again in ${formatDuration(delayMs)}`;
      log.warn({ problem: why, retryInMs: delayMs }, "Channel lost or not started");
      onSettled();
      await clock.sleep(delayMs, ending.signal);
    }
    onSettled();
  };

  return {
    name,
    kind,
    capabilities: () => known?.capabilities ?? plainCapabilities,
    findProblem: () => problem,
    tools: () => tools,
    start: async (host) => {
      const settled = Promise.withResolvers<void>();
      living = liveOn(host, settled.resolve);
      const patience = new AbortController();
      await Promise.race([settled.promise, clock.sleep(startGraceMs, patience.signal)]);
      patience.abort();
    },
    stopIntake: async () => intake.abort(),
    get knowsRepeats() {
      return known?.knowsRepeats ?? false;
    },
    send: async (message, deliveryId) => {
      const whole = await live.finish(message);
      const sent = await sendNow(whole, deliveryId);
      live.settle(message);
      return sent;
    },
    show: live.show,
    [Symbol.asyncDispose]: async () => {
      intake.abort();
      ending.abort();
      live.stop();
      const ended = session?.stop();
      await living;
      await ended;
    },
  };
}

function untilEnd(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
