import type { Clock } from "./clock.ts";

export interface TypingIndicatorOptions {
  /** Shows it in a channel once; Discord takes it away after ten seconds, or when something is said. Never rejects. */
  readonly show: (channelId: string) => Promise<void>;
  readonly clock: Clock;
}

/** Shows that an answer is being written, until it is there. */
export interface TypingIndicator {
  /** For half a minute; said again, the half minute begins anew. */
  readonly begin: (channelId: string) => void;
  readonly end: (channelId: string) => void;
  readonly stop: () => void;
}

const repeatMs = 8_000;
const longestMs = 30_000;
const maxChannels = 500;

export function createTypingIndicator({ show, clock }: TypingIndicatorOptions): TypingIndicator {
  const running = new Map<string, { untilMs: number; cancel: () => void }>();

  const end = (channelId: string): void => {
    running.get(channelId)?.cancel();
    running.delete(channelId);
  };
  const repeat = (channelId: string): void => {
    const entry = running.get(channelId);
    if (entry === undefined) return;
    if (clock.now() >= entry.untilMs) return end(channelId);
    void show(channelId);
    entry.cancel = clock.after(repeatMs, () => repeat(channelId));
  };

  return {
    begin: (channelId) => {
      const untilMs = clock.now() + longestMs;
      const entry = running.get(channelId);
      if (entry !== undefined) return void (entry.untilMs = untilMs);
      if (running.size >= maxChannels) return;
      running.set(channelId, { untilMs, cancel: () => {} });
      repeat(channelId);
    },
    end,
    stop: () => {
      for (const channelId of running.keys()) end(channelId);
    },
  };
}
