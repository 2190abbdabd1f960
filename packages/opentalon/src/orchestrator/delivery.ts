import { createBackoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { toMessage } from "../base/errors.ts";
import { createKeyedQueue } from "../base/keyed-queue.ts";
import type { Log } from "../base/log.ts";
import type { OutboundMessage } from "../domain/message.ts";
import type { Delivery, Outbox } from "../store/ports.ts";

/** What a channel's refusal means for the message. */
export type SendOutcome =
  | { readonly kind: "delivered" }
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
  /** Hands the message to its channel. Never rejects. */
  readonly send: (message: OutboundMessage, deliveryId: string) => Promise<SendOutcome>;
  readonly maxAttempts: number;
  readonly clock: Clock;
  readonly log: Log;
}

const parallelConversations = 1_024;
const firstRetryMs = 1_000;
const slowestRetryMs = 5 * 60_000;

export function createDeliveryLoop(options: DeliveryOptions): DeliveryLoop {
  const { outbox, send, maxAttempts, clock, log } = options;
  const stopping = new AbortController();
  const queue = createKeyedQueue({
    concurrency: parallelConversations,
    // Only the store can fail here; the row keeps its state and the next start decides about it.
    onError: (error) => log.error({ err: error }, "the outbox could not be updated"),
  });

  const deliverNow = async (delivery: Delivery): Promise<void> => {
    const backoff = createBackoff({ initialMs: firstRetryMs, maxMs: slowestRetryMs, jitter: 0.2 });
    for (let attempt = delivery.attempts + 1; !stopping.signal.aborted; attempt += 1) {
      if (!(await outbox.markSending(delivery.id))) return;
      const outcome = await send(delivery.message, delivery.id);
      if (outcome.kind === "delivered") return outbox.markDelivered(delivery.id);
      const about = { ...toLogFields(delivery), attempt };
      if (outcome.kind === "unknown" || attempt >= maxAttempts) {
        log.error({ ...about, problem: outcome.problem }, giveUpWords[outcome.kind]);
        return outbox.markFailed(delivery.id, outcome.problem);
      }
      const waitMs = Math.max(outcome.retryAfterMs ?? 0, backoff.nextMs());
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
