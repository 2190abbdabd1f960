import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { TurnObserver } from "../domain/turn.ts";

const hookWords = {
  changed: "changed the text",
  invoked: "started actions",
  failed: "failed",
};

/** Writes one line per finished turn, and its steps at debug level; each carries the turn's trace id. */
export function createTurnLog({
  log,
  clock,
}: {
  readonly log: Log;
  readonly clock: Clock;
}): TurnObserver {
  const started = new Map<string, { readonly atMs: number; model: string; toolCalls: number }>();
  return (turn, event) => {
    const trace = turn.id;
    const { channel } = turn.message;
    switch (event.kind) {
      case "turn-started":
        started.set(trace, { atMs: clock.now(), model: "", toolCalls: 0 });
        log.debug(
          { trace, channel, session: turn.sessionKey, attempt: turn.attempt },
          "turn started",
        );
        return;
      case "model-started": {
        const run = started.get(trace);
        if (run !== undefined) run.model = event.model;
        log.debug({ trace, model: event.model }, "asking the model");
        return;
      }
      case "tool-started":
        log.debug({ trace, tool: event.tool, call: event.callId }, "tool started");
        return;
      case "tool-finished": {
        const run = started.get(trace);
        if (run !== undefined) run.toolCalls += 1;
        const { tool, isError, durationMs } = event;
        log.debug({ trace, tool, isError, durationMs }, "tool finished");
        return;
      }
      case "hook-finished": {
        const { hook, effect, microseconds } = event;
        const fields = { trace, hook, effect, microseconds };
        if (effect === "unchanged") log.debug(fields, "a hook ran");
        else if (effect === "refused")
          log.info(fields, "a hook refused the message; no token was spent on an answer");
        else log.info(fields, `a hook ${hookWords[effect]}`);
        return;
      }
      case "turn-finished": {
        const run = started.get(trace);
        started.delete(trace);
        const durationMs = run === undefined ? 0 : clock.now() - run.atMs;
        const { outcome } = event;
        log.info(
          { trace, channel, outcome, model: run?.model, toolCalls: run?.toolCalls, durationMs },
          "turn finished",
        );
        return;
      }
      case "turn-continued":
      case "text-delta":
      case "text-reset":
        return;
    }
  };
}
