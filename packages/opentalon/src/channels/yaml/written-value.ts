import type { Clock } from "../../base/clock.ts";
import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";

/** What a channel may keep over a restart: a few small values by name. */
export interface ChannelMemory {
  readonly get: (key: string) => Promise<string | undefined>;
  readonly set: (key: string, value: string) => Promise<void>;
}

/** A list of pairs that is written down some time after it changed, several changes together. */
export interface WrittenPairs {
  /** What was written by an earlier run; empty when it cannot be read. */
  readonly load: () => Promise<readonly (readonly [string, string])[]>;
  readonly changed: () => void;
  /** Writes what is not written yet; ends the timer. */
  readonly close: () => Promise<void>;
}

export interface WrittenPairsOptions {
  readonly memory: ChannelMemory;
  readonly key: string;
  readonly read: () => Iterable<readonly [string, string]>;
  readonly clock: Clock;
  readonly log: Log;
}

const writeAfterMs = 2_000;

export function createWrittenPairs({
  memory,
  key,
  read,
  clock,
  log,
}: WrittenPairsOptions): WrittenPairs {
  let cancelWrite: (() => void) | undefined;
  const write = async (): Promise<void> => {
    cancelWrite?.();
    cancelWrite = undefined;
    try {
      await memory.set(key, JSON.stringify([...read()]));
    } catch (error) {
      log.warn(
        { key, problem: toMessage(error) },
        "what a channel remembers could not be written down",
      );
    }
  };
  return {
    load: async () => {
      const text = await memory.get(key);
      if (text === undefined) return [];
      try {
        return JSON.parse(text) as readonly (readonly [string, string])[];
      } catch {
        log.warn({ key }, "what a channel remembered could not be read and is forgotten");
        return [];
      }
    },
    changed: () => {
      cancelWrite ??= clock.after(writeAfterMs, () => void write());
    },
    close: async () => {
      if (cancelWrite !== undefined) await write();
    },
  };
}
