import type { Clock } from "../base/clock.ts";
import { createRecentMap } from "../base/recent-map.ts";

/** How much one sender may write; 0 messages is no limit. */
export interface RateLimit {
  readonly messages: number;
  readonly perMs: number;
}

export type RateOutcome =
  | { readonly kind: "within" }
  /** `isFirst`: the first one too many of this window, so that the sender is told once. */
  | { readonly kind: "excess"; readonly isFirst: boolean; readonly waitMs: number };

/** Counts messages of senders in windows that begin with their first message. */
export interface MessageRate {
  readonly take: (sender: string, limit: RateLimit) => RateOutcome;
  /** The message was not taken after all. */
  readonly giveBack: (sender: string) => void;
}

/** Whoever is forgotten because so many others wrote since begins a new window. */
const maxSenders = 10_000;

export function createMessageRate(clock: Pick<Clock, "now">): MessageRate {
  const windows = createRecentMap<{ startMs: number; count: number; wasTold: boolean }>(maxSenders);
  return {
    take: (sender, { messages, perMs }) => {
      if (messages === 0 || perMs === 0) return within;
      const nowMs = clock.now();
      const known = windows.get(sender);
      const ageMs = known === undefined ? perMs : nowMs - known.startMs;
      if (known === undefined || ageMs >= perMs || ageMs < 0) {
        windows.set(sender, { startMs: nowMs, count: 1, wasTold: false });
        return within;
      }
      if (known.count < messages) {
        known.count += 1;
        return within;
      }
      const isFirst = !known.wasTold;
      known.wasTold = true;
      return { kind: "excess", isFirst, waitMs: perMs - ageMs };
    },
    giveBack: (sender) => {
      const known = windows.get(sender);
      if (known !== undefined && known.count > 0) known.count -= 1;
    },
  };
}

const within: RateOutcome = { kind: "within" };
