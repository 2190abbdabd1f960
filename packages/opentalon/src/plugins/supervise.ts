import { createBackoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { PluginError, toMessage } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type {
  Execution,
  PluginCapabilities,
  PluginState,
  PluginStatus,
  RawToolResult,
} from "../domain/plugin.ts";
import { untilAborted } from "./deadline.ts";
import type { PluginEntry } from "./plugin-entry.ts";

/** A plugin that runs and has said what it can do. */
export interface RunningPlugin {
  readonly capabilities: PluginCapabilities;
  /** Aborts, with a `PluginError` as reason, when the plugin is lost and has to be started again. */
  readonly gone: AbortSignal;
  /** Rejects with `PluginError` only. */
  readonly execute: (execution: Execution) => Promise<RawToolResult>;
  /** Ends it and everything it holds. Never rejects. */
  readonly stop: () => Promise<void>;
}

export interface SuperviseOptions<Running extends RunningPlugin = RunningPlugin> {
  readonly entry: PluginEntry;
  /** Starts the plugin once, as the entry it is handed says; gives up when the signal aborts. Rejects with `PluginError`, and leaves nothing then. */
  readonly open: (entry: PluginEntry, signal: AbortSignal) => Promise<Running>;
  /** Says why the plugin cannot have this name, or gives it the name and says "". */
  readonly claimName: (name: string) => string;
  readonly clock: Clock;
  readonly log: Log;
  readonly onChange: () => void;
}

/** One configured plugin over all its processes: starts it, starts it again when it is lost, ends it. */
export interface SupervisedPlugin<Running extends RunningPlugin = RunningPlugin> {
  readonly key: string;
  /** Starts it; resolves when it is ready or the first start has failed. Never rejects. */
  readonly start: () => Promise<void>;
  readonly status: () => PluginStatus;
  /** What it can do, while it is ready or about to be again. */
  readonly capabilities: () => PluginCapabilities | undefined;
  /** The process that can be spoken to. @throws PluginError "unavailable" when there is none right now. */
  readonly running: () => Running;
  /** Rejects with `PluginError` only, also when the plugin is not ready. */
  readonly execute: (execution: Execution) => Promise<RawToolResult>;
  /** Stops it for good, with a problem for the operator. */
  readonly fail: (problem: string) => void;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const firstRetryMs = 1_000;
const lastRetryMs = 300_000;
/** After this long without a failure the next one counts as the first. */
const goodAfterMs = 600_000;

export function supervise<Running extends RunningPlugin = RunningPlugin>({
  entry,
  open,
  claimName,
  clock,
  log,
  onChange,
}: SuperviseOptions<Running>): SupervisedPlugin<Running> {
  const { key } = entry;
  const backoff = createBackoff({ initialMs: firstRetryMs, maxMs: lastRetryMs });
  const ending = new AbortController();
  let state: PluginState = "starting";
  let problem = "";
  let restarts = 0;
  let running: Running | undefined;
  let known: PluginCapabilities | undefined;
  let opening: Promise<void> = Promise.resolve();
  let stopping: Promise<void> = Promise.resolve();
  let cancelRetry = (): void => {};

  const change = (next: PluginState, why: string): void => {
    state = next;
    problem = why;
    if (next !== "ready" && next !== "restarting") known = undefined;
    onChange();
  };

  /** The entry with the program to run, which may have to be fetched and built first. */
  const prepare = async (): Promise<PluginEntry> => {
    if (entry.prepare === undefined) return entry;
    const before = state;
    if (state !== "restarting") change("building", "");
    const prepared = await untilAborted(key, ending.signal, entry.prepare(ending.signal));
    if (state === "building") change(before, "");
    return { ...entry, command: prepared.command, programFolder: prepared.folder };
  };

  const attempt = async (): Promise<void> => {
    let plugin: Running;
    try {
      plugin = await open(await prepare(), ending.signal);
    } catch (error) {
      if (!ending.signal.aborted) retry("failed", toMessage(error));
      return;
    }
    if (ending.signal.aborted) return plugin.stop();
    const refusal = claimName(plugin.capabilities.name);
    if (refusal !== "") {
      fail(refusal);
      return plugin.stop();
    }
    const readyAtMs = clock.now();
    running = plugin;
    known = plugin.capabilities;
    const lost = (): void => {
      if (running !== plugin) return;
      running = undefined;
      stopping = plugin.stop();
      if (ending.signal.aborted) return;
      if (clock.now() - readyAtMs >= goodAfterMs) backoff.reset();
      retry("restarting", toMessage(plugin.gone.reason));
    };
    plugin.gone.addEventListener("abort", lost, { once: true });
    change("ready", "");
    log.info({ name: known.name, actions: known.tools.length, restarts }, "Plugin ready");
    if (plugin.gone.aborted) lost();
  };

  const retry = (next: "failed" | "restarting", why: string): void => {
    const delayMs = backoff.nextMs();
    const text = `${why}; trying again in ${formatDuration(delayMs)}`;
    log.warn(
      { problem: why, retryInMs: delayMs },
      next === "failed" ? "Plugin did not start" : "Plugin lost",
    );
    cancelRetry = clock.after(delayMs, () => {
      restarts += 1;
      opening = stopping.then(attempt);
    });
    change(next, text);
  };

  const fail = (why: string): void => {
    if (ending.signal.aborted) return;
    end(why);
    log.error({ problem: why }, "Plugin cannot be used");
    change("failed", why);
  };

  const end = (why: string): void => {
    ending.abort(
      new PluginError(key, "unavailable", `the plugin "${key}" is being stopped: ${why}`),
    );
    cancelRetry();
    const plugin = running;
    running = undefined;
    if (plugin !== undefined) stopping = plugin.stop();
  };

  const toRunning = (): Running => {
    if (running !== undefined) return running;
    const why = `the plugin "${key}" is not ready: ${problem === "" ? state : problem}`;
    throw new PluginError(key, "unavailable", why);
  };

  return {
    key,
    start: () => (opening = attempt()),
    status: () => ({ key, name: known?.name ?? key, state, problem, restarts }),
    capabilities: () => known,
    running: toRunning,
    execute: async (execution) => toRunning().execute(execution),
    fail,
    [Symbol.asyncDispose]: async () => {
      if (!ending.signal.aborted) end("OpenTalon stops");
      await opening;
      await stopping;
      if (state !== "failed" && state !== "stopped") change("stopped", "");
    },
  };
}
