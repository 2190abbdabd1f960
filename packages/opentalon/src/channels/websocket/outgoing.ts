import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { MessageSocket } from "../../base/message-socket.ts";
import { DeliveryError } from "../delivery-error.ts";

/** The other side, connected. */
export interface Peer {
  readonly socket: MessageSocket;
  /** It acknowledges what it is sent, and knows a delivery it has seen before. */
  readonly acks: boolean;
}

/**
 * Deliveries on their way to a peer that comes and goes: kept while it is away, sent again when it comes back and had
 * not acknowledged them.
 */
export interface Outgoing {
  /**
   * Resolves when the peer has it: acknowledged, or taken by the system where the peer acknowledges nothing.
   * @throws DeliveryError `not-delivered` also for one a peer that acknowledges may have: it knows it when it comes again.
   */
  readonly send: (deliveryId: string, text: string) => Promise<void>;
  /** From now on everything goes to this peer; what waits is sent at once, in order. */
  readonly attach: (peer: Peer) => void;
  /** The peer is gone. Without effect when another one has been attached meanwhile. */
  readonly detach: (peer: Peer) => void;
  readonly acknowledge: (deliveryId: string) => void;
  /** The peer has this delivery and all that were sent before it. */
  readonly acknowledgeUpTo: (deliveryId: string) => void;
  readonly close: () => void;
}

export interface OutgoingOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** How long a delivery waits for a peer, and for its acknowledgement. */
  readonly patienceMs?: number;
  /** Bytes that may wait for a peer that reads slowly, unless it is one message alone. */
  readonly maxBufferedBytes?: number;
}

interface Entry {
  readonly id: string;
  readonly text: string;
  /** The peer it was last sent to. */
  sentTo: Peer | undefined;
  readonly settle: (error?: DeliveryError) => void;
}

/** The outbox sends no more than this at once. */
const maxWaiting = 1_024;

export function createOutgoing(options: OutgoingOptions): Outgoing {
  const { clock, log, patienceMs = 30_000, maxBufferedBytes = 8 * 1024 * 1024 } = options;
  const entries = new Map<string, Entry>();
  let peer: Peer | undefined;
  let isClosed = false;

  const transmit = (entry: Entry, to: Peer): void => {
    const { socket } = to;
    const waitingBytes = socket.bufferedBytes();
    if (waitingBytes > 0 && waitingBytes + entry.text.length > maxBufferedBytes) {
      log.warn(
        { waitingBytes },
        "a peer reads too slowly and is disconnected; the rest is sent later",
      );
      socket.close(1013, "too slow; what is missing comes after you connect again");
      detach(to);
      return;
    }
    entry.sentTo = to;
    socket.send(entry.text).then(
      () => {
        if (!to.acks) entry.settle();
      },
      () => {
        if (!to.acks) entry.settle(toError("the connection broke while it was sent", "unknown"));
      },
    );
  };

  const detach = (gone: Peer): void => {
    if (peer === gone) peer = undefined;
  };

  /** What one peer has and did not acknowledge may be a repetition for the next. */
  const isDue = ({ sentTo }: Entry): boolean => sentTo === undefined || sentTo.acks;

  const giveUp = (entry: Entry): void => {
    const { sentTo } = entry;
    if (sentTo === undefined) return entry.settle(toError("nobody is connected", "not-delivered"));
    if (sentTo === peer) {
      sentTo.socket.close(4408, "no acknowledgement came in time");
      detach(sentTo);
    }
    entry.settle(
      sentTo.acks
        ? toError("it was not acknowledged in time", "not-delivered")
        : toError("the system did not take it in time", "unknown"),
    );
  };

  return {
    send: (id, text) =>
      new Promise((resolve, reject) => {
        if (isClosed) return reject(toError("the channel was closed", "not-delivered"));
        if (entries.size >= maxWaiting || entries.has(id)) {
          return reject(toError("too much is on its way already", "not-delivered"));
        }
        const entry: Entry = {
          id,
          text,
          sentTo: undefined,
          settle: (error) => {
            if (entries.get(id) !== entry) return;
            entries.delete(id);
            cancel();
            if (error === undefined) resolve();
            else reject(error);
          },
        };
        const cancel = clock.after(patienceMs, () => giveUp(entry));
        entries.set(id, entry);
        if (peer !== undefined) transmit(entry, peer);
      }),
    attach: (next) => {
      peer = next;
      for (const entry of entries.values()) {
        if (peer !== next) return;
        if (isDue(entry)) transmit(entry, next);
      }
    },
    detach,
    acknowledge: (id) => {
      if (entries.get(id)?.sentTo !== undefined) entries.get(id)?.settle();
    },
    acknowledgeUpTo: (id) => {
      if (entries.get(id)?.sentTo === undefined) return;
      for (const entry of entries.values()) {
        if (entry.sentTo !== undefined) entry.settle();
        if (entry.id === id) return;
      }
    },
    close: () => {
      isClosed = true;
      peer = undefined;
      for (const entry of entries.values()) {
        const isKnown = entry.sentTo !== undefined && !entry.sentTo.acks;
        entry.settle(toError("the channel was closed", isKnown ? "unknown" : "not-delivered"));
      }
    },
  };
}

function toError(problem: string, outcome: "not-delivered" | "unknown"): DeliveryError {
  return new DeliveryError(problem, { outcome });
}
