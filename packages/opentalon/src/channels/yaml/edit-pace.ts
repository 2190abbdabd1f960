import type { Clock } from "../../base/clock.ts";
import type { StreamingRules } from "./definition.ts";

/** Keeps what is shown of answers in the making within what a platform allows, so that something is left for the answers. */
export interface EditPace {
  /** Whether something may be shown now in a conversation; then it counts. */
  readonly take: (conversationId: string, isGroup: boolean) => boolean;
  /** An answer was sent there, which the platform counts as well. */
  readonly count: (conversationId: string) => void;
  /** The platform asked for patience. */
  readonly slowDown: (conversationId: string, waitMs: number) => void;
}

interface Pace {
  lastAtMs: number;
  /** Nothing before. */
  pausedUntilMs: number;
  /** How many times the interval is longer than usual. */
  factor: number;
}

const minuteMs = 60_000;
const slowestFactor = 16;
/** A platform that has not complained for so long is trusted again. */
const forgetMs = 10 * minuteMs;
const mostConversations = 1_000;

export function createEditPace(rules: StreamingRules, clock: Clock): EditPace {
  const { intervalMs, groupIntervalMs, perMinute } = rules;
  const paces = new Map<string, Pace>();
  let recent: number[] = [];

  const find = (conversationId: string): Pace => {
    const pace = paces.get(conversationId) ?? {
      lastAtMs: Number.NEGATIVE_INFINITY,
      pausedUntilMs: 0,
      factor: 1,
    };
    // The most recently used ones stay.
    paces.delete(conversationId);
    paces.set(conversationId, pace);
    const [oldest] = paces.keys();
    if (paces.size > mostConversations && oldest !== undefined) paces.delete(oldest);
    return pace;
  };
  const note = (pace: Pace): void => {
    const nowMs = clock.now();
    pace.lastAtMs = nowMs;
    if (perMinute > 0) recent = [...recent.filter((atMs) => atMs > nowMs - minuteMs), nowMs];
  };

  return {
    take: (conversationId, isGroup) => {
      const nowMs = clock.now();
      const pace = find(conversationId);
      if (nowMs > pace.pausedUntilMs + forgetMs) pace.factor = 1;
      const leastMs = (isGroup ? groupIntervalMs : intervalMs) * pace.factor;
      if (nowMs < pace.pausedUntilMs || nowMs < pace.lastAtMs + leastMs) return false;
      const count = recent.filter((atMs) => atMs > nowMs - minuteMs).length;
      if (perMinute > 0 && count >= perMinute) return false;
      note(pace);
      return true;
    },
    count: (conversationId) => note(find(conversationId)),
    slowDown: (conversationId, waitMs) => {
      const pace = find(conversationId);
      pace.factor = Math.min(slowestFactor, pace.factor * 2);
      pace.pausedUntilMs = Math.max(pace.pausedUntilMs, clock.now() + waitMs);
    },
  };
}
