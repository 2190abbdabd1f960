import { createBackoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { toMessage } from "../base/errors.ts";
import { createKeyedQueue } from "../base/keyed-queue.ts";
import { createLimiter, type Limiter } from "../base/limiter.ts";
import type { Log } from "../base/log.ts";
import type { OutboundMessage } from "../domain/message.ts";
import type { Delivery, Outbox, PostedMessages } from "../store/ports.ts";

/** What a channel's refusal means for the message. */
export type SendOutcome =
  | {
      readonly kind: "delivered";
      /** What the platform calls it, see `SentMessage`. */
      readonly messageIds?: readonly string[] | undefined;
    }
  /** The platform certainly does not have it. */
  | {
      readonly kind: "not-delivered";
      readonly problem: string;
      readonly retryAfterMs: number | undefined;
    }
  /** Nobody knows; sending again could show it twice. */
  | { readonly kind: "unknown"; readonly problem: string };

/** Brings committed replies to their platforms: in order within a conversation, retried, each at most once. */
export interface DeliveryLoop {
  readonly deliver: (delivery: Delivery) => void;
  /** Reports what a crash left undecided and takes up what still waits. */
  readonly recover: () => Promise<void>;
  /** Deliveries waiting or under way. */
  readonly size: () => number;
  readonly idle: () => Promise<void>;
  /** No more retries; what waits stays in the outbox. */
  readonly stop: () => void;
}

export interface DeliveryOptions {
  readonly outbox: Outbox;
  readonly posted: Pick<PostedMessages, "add">;
  /** The messages a reply takes on its platform, always the same ones for the same reply. */
  readonly split: (message: OutboundMessage) => readonly OutboundMessage[];
  /** Hands the message to its channel. Never rejects. */
  readonly send: (message: OutboundMessage, deliveryId: string) => Promise<SendOutcome>;
  /** Whether a channel's platform recognises a delivery it has seen, see `Channel.knowsRepeats`. */
  readonly knowsRepeats?: (channel: string) => boolean;
  readonly maxAttempts: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Sends at once, per channel: one that is slow or down takes nothing from the others. */
const parallelSends = 256;
const firstRetryMs = 1_000;
const slowestRetryMs = 5 * 60_000;
/** A platform that asks for more patience is asked again anyway. */
const longestAskedMs = 3_600_000;

/** `outbox` is expected to wait out what passes by itself; what it still throws ends a delivery until the next start. */
export function createDeliveryLoop(options: DeliveryOptions): DeliveryLoop {
  const { outbox, posted, split, send, knowsRepeats = () => false } = options;
  const { maxAttempts, clock, log } = options;
  const stopping = new AbortController();
  // A conversation that waits for its retry holds up nobody but itself.
  const queue = createKeyedQueue({
    concurrency: Number.POSITIVE_INFINITY,
    onError: (error) => log.error({ err: error }, "the outbox could not be updated"),
  });
  const limiters = new Map<string, Limiter>();
  const limitOf = (channel: string): Limiter => {
    const known = limiters.get(channel) ?? createLimiter(parallelSends);
    limiters.set(channel, known);
    return known;
  };

  /** One attempt; `undefined` when there is nothing left to send. */
  const attemptOnce = (progress: Progress): Promise<SendOutcome | undefined> =>
    limitOf(progress.delivery.message.channel)(async () => {
      const { id } = progress.delivery;
      if (stopping.signal.aborted || !(await outbox.markSending(id))) return undefined;
      return sendParts(progress);
    });

  /** Never rejects: that a reaction will not find its answer is no reason to hold the answer up. */
  const notePosted = async (
    delivery: Delivery,
    messageIds: readonly string[] = [],
  ): Promise<void> => {
    if (messageIds.length === 0) return;
    const { turnId, message } = delivery;
    const { channel, conversationId } = message;
    try {
      await posted.add({ turnId, channel, conversationId, messageIds });
    } catch (error) {
      const about = { ...toLogFields(delivery), err: error };
      log.warn(about, "reactions to an answer will not be known to be about it");
    }
  };

  /** Each message once: those that have arrived are noted before the next one is sent. */
  const sendParts = async (progress: Progress): Promise<SendOutcome> => {
    const { id, message } = progress.delivery;
    const parts = split(message);
    // After a restart a channel may not have said yet how long its messages may be.
    if (progress.partsSent >= parts.length) return cutElsewhere;
    for (const [index, part] of parts.entries()) {
      if (index < progress.partsSent) continue;
      if (stopping.signal.aborted) return interrupted;
      const outcome = await send(part, parts.length === 1 ? id : `${id}#${index + 1}`);
      if (outcome.kind !== "delivered") return outcome;
      await notePosted(progress.delivery, outcome.messageIds);
      progress.partsSent = index + 1;
      if (index + 1 < parts.length) await outbox.markPartsSent(id, index + 1);
    }
    return { kind: "delivered" };
  };

  const deliverNow = async (delivery: Delivery): Promise<void> => {
    const progress: Progress = { delivery, partsSent: delivery.partsSent };
    const backoff = createBackoff({ initialMs: firstRetryMs, maxMs: slowestRetryMs, jitter: 0.2 });
    for (let attempt = delivery.attempts + 1; !stopping.signal.aborted; attempt += 1) {
      const outcome = await attemptOnce(progress);
      if (outcome === undefined) return;
      if (outcome.kind === "delivered") return outbox.markDelivered(delivery.id);
      // The end of this program is no refusal of the platform's, however many attempts there were.
      if (outcome === interrupted)
        return outbox.markWaiting(delivery.id, clock.now(), interrupted.problem);
      const about = { ...toLogFields(delivery), attempt };
      const isSettled = outcome.kind === "unknown" && !knowsRepeats(delivery.message.channel);
      if (isSettled || attempt >= maxAttempts) {
        log.error({ ...about, problem: outcome.problem }, giveUpWords[outcome.kind]);
        return outbox.markFailed(delivery.id, outcome.problem);
      }
      const wantedMs = outcome.kind === "unknown" ? undefined : outcome.retryAfterMs;
      const askedMs = Math.min(wantedMs ?? 0, longestAskedMs);
      const waitMs = Math.max(askedMs, backoff.nextMs());
      log.warn(
        { ...about, problem: outcome.problem, waitMs },
        "a reply was not delivered and will be sent again",
      );
      await outbox.markWaiting(delivery.id, clock.now() + waitMs, outcome.problem);
      await clock.sleep(waitMs, stopping.signal);
    }
  };

  const deliver = (delivery: Delivery): void => {
    const { channel, conversationId, threadId } = delivery.message;
    queue.add(JSON.stringify([channel, conversationId, threadId]), () => deliverNow(delivery));
  };

  return {
    deliver,
    recover: async () => {
      for (const delivery of await outbox.resolveInterrupted()) {
        if (knowsRepeats(delivery.message.channel)) {
          await outbox.retry(delivery.id);
          continue;
        }
        log.error(
          toLogFields(delivery),
          "a reply was being sent when OpenTalon ended; it may or may not have arrived and is not sent again",
        );
      }
      for (const delivery of await outbox.waiting()) deliver(delivery);
    },
    size: queue.size,
    idle: queue.idle,
    stop: () => {
      stopping.abort();
      queue.clear();
    },
  };
}

/** A delivery under way, over its attempts. */
interface Progress {
  readonly delivery: Delivery;
  partsSent: number;
}

const interrupted: SendOutcome = {
  kind: "not-delivered",
  problem: "OpenTalon ends; the rest goes out after the next start",
  retryAfterMs: undefined,
};

const cutElsewhere: SendOutcome = {
  kind: "not-delivered",
  problem:
    "its channel is gone, or takes longer messages than when the first part of the reply was sent",
  retryAfterMs: undefined,
};

function toLogFields({
  id,
  turnId,
  message,
}: Delivery): Readonly<Record<string, string | undefined>> {
  const { channel, conversationId, metadata } = message;
  return {
    trace: turnId,
    delivery: id,
    channel,
    conversation: conversationId,
    inReplyTo: metadata["in_reply_to"],
  };
}

const giveUpWords = {
  unknown: "a reply may or may not have arrived and is not sent again",
  "not-delivered": "a reply could not be delivered and was given up",
} as const;

/** A rejected `Channel.send`, read as an outcome; errors that say nothing count as not delivered. */
export function toSendOutcome(error: unknown): SendOutcome {
  const { outcome, retryAfterMs } = error as { outcome?: unknown; retryAfterMs?: unknown };
  const problem = toMessage(error);
  if (outcome === "unknown") return { kind: "unknown", problem };
  return {
    kind: "not-delivered",
    problem,
    retryAfterMs: typeof retryAfterMs === "number" ? retryAfterMs : undefined,
  };
}
