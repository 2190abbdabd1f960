import { createBackoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { ChannelError, toMessage } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { type Channel, type ChannelHost, plainCapabilities } from "../domain/channel.ts";
import type { PreparedProgram } from "../plugins/plugin-entry.ts";
import { DeliveryError } from "./delivery-error.ts";
import { splitMessage } from "./split-message.ts";

export interface LateChannelOptions {
  /** Instance name: the key under `channels:`. */
  readonly name: string;
  /** Fetches and builds what is not there; `onBuilding` is told when that is going to take minutes. */
  readonly prepare: (signal: AbortSignal, onBuilding: () => void) => Promise<PreparedProgram>;
  /** The channel that was built, stopped. Rejects with `ChannelError` when it can never be used as it is. */
  readonly create: (program: PreparedProgram) => Promise<Channel>;
  readonly clock: Clock;
  readonly log: Log;
}

/** A channel that is known by its sources; what it is turns out once these have been fetched. */
export interface LateChannel extends Channel {
  /**
   * Resolves when the channel is there, its build has begun, its first try has failed, or the time is over. `routes`
   * stay as they are from then on. Gives why the channel can never be used as it is, `undefined` when it may be.
   */
  readonly settle: (limitMs: number) => Promise<ChannelError | undefined>;
}

const retry = { initialMs: 1_000, maxMs: 300_000, jitter: 0.2 };

/**
 * A channel that is fetched and built first, which begins at once, beside everything else. It is tried again with growing
 * pauses until it is there. From then on it is that channel.
 */
export function createLateChannel(options: LateChannelOptions): LateChannel {
  const { name, prepare, create, clock, log } = options;
  const backoff = createBackoff(retry);
  const ending = new AbortController();
  const news = Promise.withResolvers<void>();
  let inner: Channel | undefined;
  let host: ChannelHost | undefined;
  let problem: string | undefined = "it is being fetched";
  let refusal: ChannelError | undefined;
  let areRoutesFixed = false;

  /** Takes the channel that was made; whether it can be used now. */
  const take = async (made: Channel): Promise<void> => {
    if (areRoutesFixed && (made.routes ?? []).length > 0) {
      await made[Symbol.asyncDispose]();
      throw new ChannelError(
        "CHANNEL_MISCONFIGURED",
        "it was fetched after the start, and takes messages at the HTTP door, whose addresses are fixed by then; start OpenTalon again",
      );
    }
    inner = made;
    problem = undefined;
    if (host === undefined) return;
    host.toolsChanged?.();
    await made.start(host).catch((error: unknown) => {
      problem = toMessage(error);
      log.error(
        error instanceof ChannelError ? { problem } : { err: error },
        "a channel could not start",
      );
    });
  };

  const build = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      try {
        const program = await prepare(ending.signal, () => {
          problem = "it is being built";
          news.resolve();
        });
        const made = await create(program);
        if (ending.signal.aborted) await made[Symbol.asyncDispose]();
        else await take(made);
        return;
      } catch (error) {
        if (ending.signal.aborted) return;
        problem = toMessage(error);
        if (error instanceof ChannelError) {
          refusal = error;
          if (areRoutesFixed) log.error({ problem }, "a channel cannot run");
          return;
        }
        const delayMs = backoff.nextMs();
        log.warn({ problem, retryInMs: delayMs }, "a channel is not there yet");
        problem = `${problem}; trying again in ${formatDuration(delayMs)}`;
        news.resolve();
        await clock.sleep(delayMs, ending.signal);
      }
    }
  };
  const building = build().finally(news.resolve);

  return {
    name,
    get kind() {
      return inner?.kind ?? "built";
    },
    settle: async (limitMs) => {
      const patience = new AbortController();
      await Promise.race([news.promise, clock.sleep(limitMs, patience.signal)]);
      patience.abort();
      areRoutesFixed = true;
      return refusal;
    },
    get routes() {
      return inner?.routes ?? [];
    },
    capabilities: () => inner?.capabilities() ?? plainCapabilities,
    findProblem: () => problem ?? inner?.findProblem?.(),
    tools: () => inner?.tools?.() ?? [],
    get knowsRepeats() {
      return inner?.knowsRepeats ?? false;
    },
    start: async (given) => {
      host = given;
      await inner?.start(given);
    },
    stopIntake: async () => {
      ending.abort();
      await inner?.stopIntake();
    },
    split: (message) =>
      inner?.split?.(message) ?? splitMessage(message, inner?.capabilities().maxMessageLength ?? 0),
    formatWords: (words) => inner?.formatWords?.(words) ?? words,
    send: async (message, deliveryId) => {
      if (inner !== undefined) return inner.send(message, deliveryId);
      const why = `the channel "${name}" does not run: ${problem ?? "it is starting"}`;
      throw new DeliveryError(why, { outcome: "not-delivered" });
    },
    show: (turn, event) => inner?.show?.(turn, event),
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await building;
      await inner?.[Symbol.asyncDispose]();
    },
  };
}
