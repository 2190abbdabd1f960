import type { Clock } from "../base/clock.ts";
import { untilAborted } from "../base/deadline.ts";
import { toMessage } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { CallbackRequest, RawToolResult } from "../domain/plugin.ts";
import type { PluginStateChange, PluginStateStore } from "../store/ports.ts";

export interface PluginStateOptions {
  /** Plugins start before the store is open; what they ask for until then waits. */
  readonly store: Promise<PluginStateStore>;
  readonly clock: Pick<Clock, "now">;
  readonly log: Pick<Log, "warn">;
  /** Of everything one plugin keeps. */
  readonly limits?: PluginStateChange["limits"] | undefined;
}

/** Runs an action of `_state` for the plugin that asked, and nobody else's. Rejects only when the signal aborts. */
export type RunStateAction = (
  request: CallbackRequest,
  signal: AbortSignal,
) => Promise<RawToolResult>;

const defaultLimits = { entries: 10_000, bytes: 64 * 1024 * 1024 } as const;
const maxKeyBytes = 512;
const maxValueBytes = 1024 * 1024;
const maxListed = 1_000;
const usuallyListed = 100;
const maxTtlSeconds = 10 * 366 * 86_400;

/**
 * `_state`: what a plugin keeps between its calls, reached by callbacks. Its actions are `get` (key), `set` (key, value,
 * ttl_seconds?, expected? or if_absent?), `delete` (key) and `list` (prefix?, after?, limit?). Whose entries are meant
 * follows from the connection alone.
 */
export function createPluginState(options: PluginStateOptions): RunStateAction {
  const { clock, log, limits = defaultLimits } = options;
  const actions: Readonly<
    Record<string, (plugin: string, args: Arguments, store: PluginStateStore) => Promise<Answer>>
  > = {
    get: async (plugin, args, store) => {
      const value = await store.get(plugin, takeKey(args));
      return { content: value ?? "", structured: { found: value !== undefined } };
    },
    set: async (plugin, args, store) => {
      const ttlSeconds = takeWhole(args, "ttl_seconds", maxTtlSeconds);
      const outcome = await store.set(plugin, takeKey(args), {
        value: takeText(args, "value", maxValueBytes),
        endsAtMs: ttlSeconds === undefined ? undefined : clock.now() + ttlSeconds * 1_000,
        expected: takeExpected(args),
        limits,
      });
      switch (outcome.kind) {
        case "stored":
          return { content: "stored", structured: { stored: true } };
        case "unexpected":
          return {
            content: outcome.value ?? "",
            structured: { stored: false, found: outcome.value !== undefined },
          };
        case "full":
          throw new RangeError(
            `a plugin keeps at most ${limits.entries} entries of ${limits.bytes} bytes in all; delete some`,
          );
      }
    },
    delete: async (plugin, args, store) => {
      const deleted = await store.delete(plugin, takeKey(args));
      return { content: deleted ? "deleted" : "there was none", structured: { deleted } };
    },
    list: async (plugin, args, store) => {
      const limit = takeWhole(args, "limit", maxListed) ?? usuallyListed;
      const prefix = takeText(args, "prefix", maxKeyBytes, "");
      const after = takeText(args, "after", maxKeyBytes, "");
      const keys = await store.list(plugin, { prefix, after, limit: limit + 1 });
      const shown = keys.slice(0, limit);
      return {
        content: shown.join("\n"),
        structured: { keys: shown, more: keys.length > limit },
      };
    },
  };

  return async ({ asker, action, arguments: args }, signal) => {
    const run = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (run === undefined)
      return toFailure(`there is no such action; there are ${Object.keys(actions).join(", ")}`);
    try {
      const store = await untilAborted(signal, options.store);
      const { content, structured } = await run(asker, args, store);
      return { content, error: "", structuredContent: JSON.stringify(structured) };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof RangeError) return toFailure(error.message);
      // Where the database is and what it says is nothing for a plugin.
      log.warn({ plugin: asker, action, problem: toMessage(error) }, "state of a plugin failed");
      return toFailure("the state cannot be reached right now; try again later");
    }
  };
}

type Arguments = CallbackRequest["arguments"];

interface Answer {
  readonly content: string;
  readonly structured: unknown;
}

function toFailure(error: string): RawToolResult {
  return { content: "", error, structuredContent: "" };
}

function takeKey(args: Arguments): string {
  const key = takeText(args, "key", maxKeyBytes);
  if (key === "") throw new RangeError("the argument key is empty");
  return key;
}

function takeText(args: Arguments, name: string, maxBytes: number, usual?: string): string {
  const text = Object.hasOwn(args, name) ? args[name] : usual;
  if (text === undefined) throw new RangeError(`the argument ${name} is missing`);
  if (text.includes("\0") || !text.isWellFormed())
    throw new RangeError(`the argument ${name} holds U+0000; encode it, for example as base64`);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes)
    throw new RangeError(`the argument ${name} has ${bytes} bytes, ${maxBytes} are allowed`);
  return text;
}

function takeWhole(args: Arguments, name: string, most: number): number | undefined {
  const text = Object.hasOwn(args, name) ? args[name] : undefined;
  if (text === undefined || text === "") return undefined;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw new RangeError(`the argument ${name} must be a whole number from 1 to ${most}`);
}

function takeExpected(args: Arguments): string | null | undefined {
  const isAbsent = Object.hasOwn(args, "if_absent") && args["if_absent"] === "true";
  const expected = Object.hasOwn(args, "expected") ? args["expected"] : undefined;
  if (isAbsent && expected !== undefined)
    throw new RangeError("the arguments expected and if_absent exclude each other");
  return isAbsent ? null : expected;
}
