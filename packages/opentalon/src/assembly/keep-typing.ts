import type { Clock } from "../base/clock.ts";
import type { TurnObserver } from "../domain/turn.ts";

export interface TypingObserver {
  /** To be told of the turns' events. */
  readonly observe: TurnObserver;
  readonly dispose: () => void;
}

/** Platforms show that somebody writes for a while only. */
const intervalMs = 25_000;

/** Says of every turn that it still runs, again and again until it is finished. `show` passes it on to the channel. */
export function createTypingObserver({
  show,
  clock,
}: {
  readonly show: TurnObserver;
  readonly clock: Pick<Clock, "after">;
}): TypingObserver {
  const cancelById = new Map<string, () => void>();
  return {
    observe: (turn, event) => {
      if (event.kind !== "turn-started" && event.kind !== "turn-finished") return;
      cancelById.get(turn.id)?.();
      cancelById.delete(turn.id);
      if (event.kind === "turn-finished") return;
      const schedule = (): void => {
        const cancel = clock.after(intervalMs, () => {
          schedule();
          show(turn, { kind: "turn-continued" });
        });
        cancelById.set(turn.id, cancel);
      };
      schedule();
    },
    dispose: () => {
      for (const cancel of cancelById.values()) cancel();
      cancelById.clear();
    },
  };
}
