import { createBackoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";

export interface RestartPolicyOptions {
  /** Whether it is tried again at all. */
  readonly restarts: boolean;
  /** Tries in a row before it is given up; 0 is no limit. */
  readonly maxInRow: number;
  readonly longestDelayMs: number;
  readonly clock: Clock;
}

/** What follows a failure; `why` continues a sentence about the plugin. */
export type RestartVerdict =
  | { readonly kind: "retry"; readonly delayMs: number }
  | { readonly kind: "give-up"; readonly why: string };

/** When a plugin that failed is started again. */
export interface RestartPolicy {
  /** It is ready from now on. */
  readonly ready: () => void;
  /** It failed to start, or was lost. */
  readonly next: () => RestartVerdict;
  /** Nothing that happened before counts any more. */
  readonly reset: () => void;
}

/** The first try after a plugin that worked was lost: whoever talks to it should hardly notice. */
const quickRetryMs = 200;
const firstRetryMs = 1_000;
/** After so long without a failure the next one counts as the first. */
const goodAfterMs = 600_000;

export function createRestartPolicy(options: RestartPolicyOptions): RestartPolicy {
  const { restarts, maxInRow, longestDelayMs, clock } = options;
  const backoff = createBackoff({ initialMs: firstRetryMs, maxMs: longestDelayMs });
  let inRow = 0;
  let readyAtMs: number | undefined;
  const reset = (): void => {
    inRow = 0;
    backoff.reset();
  };
  return {
    reset,
    ready: () => {
      readyAtMs = clock.now();
    },
    next: () => {
      const wasReady = readyAtMs !== undefined;
      if (readyAtMs !== undefined && clock.now() - readyAtMs >= goodAfterMs) reset();
      readyAtMs = undefined;
      if (!restarts)
        return {
          kind: "give-up",
          why: "plugins.tools.restart_on_failure forbids to start it again",
        };
      if (maxInRow > 0 && inRow >= maxInRow) {
        const times = maxInRow === 1 ? "once" : `${maxInRow} times in a row`;
        const why = `it was started again ${times}, which is all that plugins.tools.max_restarts allows`;
        return { kind: "give-up", why };
      }
      inRow += 1;
      return { kind: "retry", delayMs: wasReady && inRow === 1 ? quickRetryMs : backoff.nextMs() };
    },
  };
}
