import type { Clock } from "../../base/clock.ts";

/** Which messages still wait for their answer, so that the console knows when it may end or ask again. */
export interface OpenQuestions {
  readonly add: (messageId: string) => void;
  /** The answer was shown, or there will be none. */
  readonly settle: (messageId: string) => void;
  /** The turn is over; its answer, if it has one, is on its way. */
  readonly expectAnswer: (messageId: string) => void;
  readonly isEmpty: () => boolean;
  readonly dispose: () => void;
}

/** An answer arrives right after its turn; after this long there is none. */
const answerGraceMs = 2_000;

/** `onEmpty` is called each time the last one is settled. */
export function createOpenQuestions(clock: Clock, onEmpty: () => void): OpenQuestions {
  const cancelGrace = new Map<string, () => void>();

  const settle = (messageId: string): void => {
    cancelGrace.get(messageId)?.();
    if (cancelGrace.delete(messageId) && cancelGrace.size === 0) onEmpty();
  };

  return {
    add: (messageId) => {
      cancelGrace.get(messageId)?.();
      cancelGrace.set(messageId, () => {});
    },
    settle,
    expectAnswer: (messageId) => {
      if (!cancelGrace.has(messageId)) return;
      cancelGrace.get(messageId)?.();
      cancelGrace.set(
        messageId,
        clock.after(answerGraceMs, () => settle(messageId)),
      );
    },
    isEmpty: () => cancelGrace.size === 0,
    dispose: () => {
      for (const cancel of cancelGrace.values()) cancel();
      cancelGrace.clear();
    },
  };
}
