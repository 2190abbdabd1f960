import type { Clock } from "../base/clock.ts";
import type { Turn, TurnEvent } from "../domain/turn.ts";

/** One step of an answer in the making, as a channel shows it. */
export type LiveStep =
  | { readonly kind: "text"; readonly text: string }
  /** Text shown so far does not count. */
  | { readonly kind: "reset" }
  | { readonly kind: "tool"; readonly tool: string }
  | { readonly kind: "finished" };

export interface LiveTextOptions {
  /** False when it could not be shown now: then nothing more of this answer is, until it is there as a whole. */
  readonly show: (turn: Turn, step: LiveStep) => boolean;
  readonly clock: Clock;
}

/** Gathers the pieces of answers for a moment, so that a quick model does not make a frame of every word. */
export interface LiveText {
  readonly take: (turn: Turn, event: TurnEvent) => void;
  readonly close: () => void;
}

interface Growing {
  text: string;
  cancel: (() => void) | undefined;
  isLost: boolean;
}

const gatherMs = 40;
const maxTurns = 1_024;

export function createLiveText({ show, clock }: LiveTextOptions): LiveText {
  const growing = new Map<string, Growing>();

  const push = (turn: Turn, state: Growing, step: LiveStep): void => {
    if (!state.isLost) state.isLost = !show(turn, step);
  };
  const flush = (turn: Turn, state: Growing): void => {
    state.cancel?.();
    state.cancel = undefined;
    const { text } = state;
    state.text = "";
    if (text !== "") push(turn, state, { kind: "text", text });
  };

  return {
    take: (turn, event) => {
      if (event.kind === "turn-started") {
        if (growing.size < maxTurns) {
          growing.set(turn.id, { text: "", cancel: undefined, isLost: false });
        }
        return;
      }
      const state = growing.get(turn.id);
      if (state === undefined) return;
      switch (event.kind) {
        case "text-delta":
          state.text += event.text;
          state.cancel ??= clock.after(gatherMs, () => flush(turn, state));
          return;
        case "text-reset":
          state.cancel?.();
          state.cancel = undefined;
          state.text = "";
          // What comes now is a new beginning, also for whoever lost the old one.
          state.isLost = false;
          push(turn, state, { kind: "reset" });
          return;
        case "tool-started":
          flush(turn, state);
          push(turn, state, { kind: "tool", tool: event.tool });
          return;
        case "turn-finished":
          flush(turn, state);
          push(turn, state, { kind: "finished" });
          growing.delete(turn.id);
          return;
        default:
      }
    },
    close: () => {
      for (const { cancel } of growing.values()) cancel?.();
      growing.clear();
    },
  };
}
