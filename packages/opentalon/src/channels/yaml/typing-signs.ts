import type { Clock } from "../../base/clock.ts";
import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Turn, TurnEvent } from "../../domain/turn.ts";
import type { RequestTemplate, TypingRules } from "./definition.ts";
import { type ScopedMessage, toMessageLookup } from "./message-scope.ts";
import type { SessionValues } from "./session-values.ts";
import { isPlainRefusal } from "./text-requests.ts";
import { renderText } from "./template.ts";

/** Shows people that an answer is on its way, from the beginning of a turn to its end. Nothing depends on it. */
export interface TypingSigns {
  readonly observe: (turn: Turn, event: TurnEvent) => void;
  /** Once, for a place. */
  readonly show: (message: ScopedMessage) => void;
  readonly close: () => void;
}

export interface TypingSignsOptions {
  readonly typing: TypingRules | undefined;
  readonly values: SessionValues;
  readonly clock: Clock;
  readonly log: Log;
}

interface Sign {
  cancel: () => void;
  /** What was asked of the platform last. */
  going: Promise<void>;
  untilMs: number;
  isShown: boolean;
  /** The platform refused: no more in this turn. */
  isRefused: boolean;
}

/** Turns say that they go on every 25 seconds; one that is not heard of any more is over, whatever became of it. */
const silenceMs = 60_000;
const mostTurns = 1_000;

export function createTypingSigns({ typing, values, clock, log }: TypingSignsOptions): TypingSigns {
  const signs = new Map<string, Sign>();

  /** How long to wait for the next one; `undefined` when there is no point in another. */
  const ask = async (
    request: RequestTemplate,
    message: ScopedMessage,
  ): Promise<number | undefined> => {
    const scope = { msg: toMessageLookup(message) };
    const { when } = request;
    const isWanted =
      when === undefined || renderText(when, { ...values.scope, ...scope }).trim() !== "";
    if (!isWanted) return undefined;
    try {
      await values.call(request, scope);
      return 0;
    } catch (error) {
      log.debug({ problem: toMessage(error) }, "a typing sign could not be shown");
      const { retryAfterMs = 0 } = error as { retryAfterMs?: number | undefined };
      return isPlainRefusal(error) ? undefined : retryAfterMs;
    }
  };

  const keep = (rules: TypingRules, turn: Turn, sign: Sign): void => {
    if (sign.isRefused || clock.now() >= sign.untilMs) {
      sign.cancel = () => undefined;
      return;
    }
    let waitMs = rules.intervalMs;
    sign.going = sign.going.then(async () => {
      if (signs.get(turn.id) !== sign) return;
      const askedMs = await ask(rules.request, turn.message);
      if (askedMs === 0) sign.isShown = true;
      if (askedMs === undefined) sign.isRefused = true;
      else if (askedMs > waitMs) {
        waitMs = askedMs;
        sign.cancel();
        if (signs.get(turn.id) === sign)
          sign.cancel = clock.after(waitMs, () => keep(rules, turn, sign));
      }
    });
    sign.cancel = clock.after(waitMs, () => keep(rules, turn, sign));
  };

  const begin = (rules: TypingRules, turn: Turn): void => {
    const known = signs.get(turn.id);
    if (known === undefined && signs.size >= mostTurns) return;
    known?.cancel();
    const sign = known ?? {
      cancel: () => undefined,
      going: Promise.resolve(),
      untilMs: 0,
      isShown: false,
      isRefused: false,
    };
    sign.untilMs = clock.now() + silenceMs;
    signs.set(turn.id, sign);
    keep(rules, turn, sign);
  };

  const end = ({ stop }: TypingRules, turn: Turn): void => {
    const sign = signs.get(turn.id);
    if (sign === undefined) return;
    sign.cancel();
    signs.delete(turn.id);
    if (stop === undefined) return;
    void sign.going.then(() => (sign.isShown ? ask(stop, turn.message) : undefined));
  };

  return {
    observe: (turn, event) => {
      if (typing === undefined) return;
      if (event.kind === "turn-started" || event.kind === "turn-continued") begin(typing, turn);
      if (event.kind === "turn-finished") end(typing, turn);
    },
    show: (message) => {
      if (typing !== undefined) void ask(typing.request, message);
    },
    close: () => {
      for (const { cancel } of signs.values()) cancel();
      signs.clear();
    },
  };
}
