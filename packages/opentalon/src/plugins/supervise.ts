import type { Clock } from "../base/clock.ts";
import { untilAborted as waitUntilAborted } from "../base/deadline.ts";
import { formatDuration } from "../base/duration.ts";
import { PluginError, toMessage } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type {
  Execution,
  PluginCapabilities,
  PluginState,
  PluginStatus,
  RawToolResult,
  ReloadOutcome,
} from "../domain/plugin.ts";
import type { CallsUnderWay } from "./calls-under-way.ts";
import { untilAborted } from "./deadline.ts";
import { pollCapabilities } from "./poll-capabilities.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import { createRestartPolicy } from "./restart-policy.ts";
import { watchHealth } from "./watch-health.ts";

/** A plugin that runs and has said what it can do. */
export interface RunningPlugin {
  readonly capabilities: PluginCapabilities;
  /** It runs elsewhere: calls under way may still succeed when it is gone for new ones. */
  readonly isRemote?: boolean | undefined;
  readonly pid?: number | undefined;
  /** `host:port` of its own web server. */
  readonly webAddress?: string | undefined;
  /** Aborts, with a `PluginError` as reason, when the plugin is lost and has to be started again. */
  readonly gone: AbortSignal;
  /** The calls it works on; absent for one that is ended without regard to them. */
  readonly calls?: CallsUnderWay | undefined;
  /** Rejects when it does not answer, or says that it cannot work. Absent for one whose health is not checked. */
  readonly check?: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** What it can do by now, under the name it has; `undefined` when it can never say. */
  readonly refresh?: ((signal: AbortSignal) => Promise<PluginCapabilities | undefined>) | undefined;
  /** Rejects with `PluginError` only. */
  readonly execute: (execution: Execution) => Promise<RawToolResult>;
  /** Ends it and everything it holds. Never rejects. */
  readonly stop: () => Promise<void>;
}

export interface SuperviseOptions<Running extends RunningPlugin = RunningPlugin> {
  readonly entry: PluginEntry;
  /** It runs elsewhere: trying to reach it costs little and never ends. */
  readonly isRemote?: boolean | undefined;
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
  /**
   * Starts it anew without losing a call: the new process comes up beside the old one, takes its place, and the old one
   * ends after its last call. When the new one does not come up, the old one stays. One that was given a port of its own
   * ends before the new one begins. Never rejects.
   */
  readonly reload: () => Promise<ReloadOutcome>;
  readonly status: () => PluginStatus;
  /** What it can do, while it is ready or about to be again. */
  readonly capabilities: () => PluginCapabilities | undefined;
  /** `host:port` of the web server of the running process; `undefined` without one. */
  readonly webAddress: () => string | undefined;
  /** The process that can be spoken to. @throws PluginError "unavailable" when there is none right now. */
  readonly running: () => Running;
  /** Rejects with `PluginError` only, also when the plugin is not ready. */
  readonly execute: (execution: Execution) => Promise<RawToolResult>;
  /** Stops it for good, with a problem for the operator. */
  readonly fail: (problem: string) => void;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

const longestDelayMs = 300_000;
const longestRemoteDelayMs = 30_000;
/** Processes that finish their last calls, of one plugin. */
const maxRetiring = 4;

export function supervise<Running extends RunningPlugin = RunningPlugin>(
  options: SuperviseOptions<Running>,
): SupervisedPlugin<Running> {
  const { entry, isRemote = false, open, claimName, clock, log, onChange } = options;
  const { key, restartOnFailure = true, maxRestarts = 0 } = entry;
  const policy = createRestartPolicy({
    restarts: isRemote || restartOnFailure,
    maxInRow: isRemote ? 0 : maxRestarts,
    longestDelayMs: isRemote ? longestRemoteDelayMs : longestDelayMs,
    clock,
  });
  const ending = new AbortController();
  let state: PluginState = "starting";
  let sinceMs = clock.now();
  let problem = "";
  let restarts = 0;
  let version: string | undefined;
  let running: Running | undefined;
  let stopWatching = (): void => {};
  let known: PluginCapabilities | undefined;
  let opening: Promise<void> = Promise.resolve();
  let stopping: Promise<void> = Promise.resolve();
  let reloading: Promise<ReloadOutcome> | undefined;
  const retiring = new Set<Promise<void>>();
  let cancelRetry = (): void => {};

  const change = (next: PluginState, why: string): void => {
    if (next !== state) sinceMs = clock.now();
    state = next;
    problem = why;
    if (next !== "ready" && next !== "restarting") known = undefined;
    onChange();
  };

  /** The plugin, started once, with a program that may have to be fetched and built first. */
  const openOnce = async (): Promise<{
    readonly plugin: Running;
    readonly version?: string | undefined;
  }> => {
    if (entry.prepare === undefined)
      return { plugin: await open(entry, ending.signal), version: entry.version };
    const before = { state, problem };
    if (state === "starting" || state === "failed" || state === "stopped") change("building", "");
    const prepared = await untilAborted(key, ending.signal, entry.prepare(ending.signal));
    if (state === "building") change(before.state, before.problem);
    const { command, folder } = prepared;
    const plugin = await open({ ...entry, command, programFolder: folder }, ending.signal);
    return { plugin, version: prepared.version ?? entry.version };
  };

  const attempt = async (): Promise<void> => {
    let opened: Awaited<ReturnType<typeof openOnce>>;
    try {
      opened = await openOnce();
    } catch (error) {
      if (!ending.signal.aborted) retry("failed", toMessage(error));
      return;
    }
    const { plugin } = opened;
    if (ending.signal.aborted) return plugin.stop();
    const refusal = claimName(plugin.capabilities.name);
    if (refusal !== "") {
      fail(refusal);
      return plugin.stop();
    }
    adopt(plugin, opened.version);
  };

  /** Lets callers have it, from now until it is lost. */
  const adopt = (plugin: Running, itsVersion: string | undefined): void => {
    running = plugin;
    known = plugin.capabilities;
    version = itsVersion;
    policy.ready();
    stopWatching = watch(plugin);
    const whenGone = (): void => lose(plugin, toMessage(plugin.gone.reason));
    plugin.gone.addEventListener("abort", whenGone, { once: true });
    change("ready", "");
    log.info({ name: known.name, actions: known.tools.length, restarts }, "Plugin ready");
    if (plugin.gone.aborted) whenGone();
  };

  const watch = (plugin: Running): (() => void) => {
    const { healthCheckIntervalMs = 0, refreshIntervalMs = 0 } = entry;
    const { check, calls, refresh } = plugin;
    const shared = { plugin: key, clock };
    const ends: (() => void)[] = [];
    if (check !== undefined && calls !== undefined && healthCheckIntervalMs > 0) {
      const onSick = (error: PluginError): void => lose(plugin, error.message);
      ends.push(
        watchHealth({ ...shared, check, calls, intervalMs: healthCheckIntervalMs, onSick }),
      );
    }
    if (refresh !== undefined && refreshIntervalMs > 0) {
      const onCapabilities = (capabilities: PluginCapabilities): void => {
        known = capabilities;
        onChange();
      };
      ends.push(
        pollCapabilities({
          ...shared,
          log,
          refresh,
          intervalMs: refreshIntervalMs,
          onCapabilities,
        }),
      );
    }
    return () => {
      for (const end of ends) end();
    };
  };

  /** Takes it away from callers. */
  const release = (): void => {
    stopWatching();
    stopWatching = () => {};
    running = undefined;
  };

  const lose = (plugin: Running, why: string): void => {
    if (running !== plugin) return;
    release();
    if (plugin.isRemote === true) retire(plugin);
    else stopping = plugin.stop();
    if (ending.signal.aborted) return;
    // What a reload comes to decides then.
    if (reloading !== undefined) change("restarting", why);
    else retry("restarting", why);
  };

  /** Ends it after its last call, which each have a deadline. */
  const retire = (plugin: Running): void => {
    const isIdle = plugin.calls?.idle() ?? Promise.resolve();
    const retired = waitUntilAborted(ending.signal, isIdle)
      .catch(() => {})
      .then(plugin.stop)
      .finally(() => retiring.delete(retired));
    retiring.add(retired);
  };

  const retry = (next: "failed" | "restarting", why: string): void => {
    const verdict = policy.next();
    const what = next === "failed" ? "Plugin did not start" : "Plugin lost";
    if (verdict.kind === "give-up") {
      log.error({ problem: why }, `${what}, and stays stopped: ${verdict.why}`);
      const advice = `once the cause is mended, "opentalon plugin restart ${key}" starts it`;
      return change("stopped", `${why}; ${verdict.why}; ${advice}`);
    }
    const { delayMs } = verdict;
    log.warn({ problem: why, retryInMs: delayMs }, what);
    cancelRetry = clock.after(delayMs, () => {
      restarts += 1;
      opening = stopping.then(attempt);
    });
    change(next, `${why}; trying again in ${formatDuration(delayMs)}`);
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
    release();
    if (plugin !== undefined) stopping = plugin.stop();
  };

  const reload = async (): Promise<ReloadOutcome> => {
    await opening;
    if (ending.signal.aborted) return toFailure(problem === "" ? "OpenTalon stops" : problem);
    const old = running;
    if (old !== undefined && retiring.size >= maxRetiring) {
      return toFailure(
        `${retiring.size} earlier processes are still finishing their calls; try again when they are done`,
      );
    }
    cancelRetry();
    policy.reset();
    if (old === undefined) return startAnew(stopping);
    if (entry.httpPort === undefined) {
      log.info({}, "Plugin is started anew beside the process that runs");
      return replace(old);
    }
    // Two processes cannot have one port.
    log.info({}, "Plugin is started anew once the process that runs has finished its calls");
    release();
    retire(old);
    change("restarting", "it is being started anew; try again in a moment");
    return startAnew(Promise.all(retiring));
  };

  const startAnew = async (free: Promise<unknown>): Promise<ReloadOutcome> => {
    await free;
    if (ending.signal.aborted) return toFailure("OpenTalon stops");
    restarts += 1;
    opening = attempt();
    await opening;
    return running === undefined ? toFailure(problem) : { kind: "reloaded" };
  };

  const replace = async (old: Running): Promise<ReloadOutcome> => {
    let opened: Awaited<ReturnType<typeof openOnce>>;
    try {
      opened = await openOnce();
    } catch (error) {
      return giveUpReplacing(toMessage(error));
    }
    const { plugin } = opened;
    const refusal = ending.signal.aborted ? "OpenTalon stops" : claimName(plugin.capabilities.name);
    if (refusal !== "") {
      await plugin.stop();
      return giveUpReplacing(refusal);
    }
    if (running === old) {
      release();
      retire(old);
    }
    restarts += 1;
    adopt(plugin, opened.version);
    return { kind: "reloaded" };
  };

  const giveUpReplacing = (why: string): ReloadOutcome => {
    const outcome = toFailure(why);
    if (outcome.keptRunning)
      log.warn({ problem: why }, "Plugin could not be started anew; the process before stays");
    else if (!ending.signal.aborted) retry("restarting", why);
    return outcome;
  };

  const toFailure = (why: string) =>
    ({ kind: "failed", problem: why, keptRunning: running !== undefined }) as const;

  const toRunning = (): Running => {
    if (running !== undefined) return running;
    const why = `the plugin "${key}" is not ready: ${problem === "" ? stateWords[state] : problem}`;
    throw new PluginError(key, "unavailable", why);
  };

  return {
    key,
    start: () => (opening = attempt()),
    reload: () =>
      (reloading ??= reload().finally(() => {
        reloading = undefined;
      })),
    status: () => ({
      key,
      name: known?.name ?? key,
      state,
      problem,
      restarts,
      sinceMs,
      pid: running?.pid,
      actions: known?.tools.length ?? 0,
      version,
    }),
    capabilities: () => known,
    webAddress: () => running?.webAddress,
    running: toRunning,
    execute: async (execution) => toRunning().execute(execution),
    fail,
    [Symbol.asyncDispose]: async () => {
      if (!ending.signal.aborted) end("OpenTalon stops");
      await opening;
      await reloading;
      await stopping;
      await Promise.all(retiring);
      if (state !== "failed" && state !== "stopped") change("stopped", "");
    },
  };
}

/** For callers that meet a plugin without a problem that could be told. */
const stateWords: Readonly<Record<PluginState, string>> = {
  building: "it is being built; try again in a minute",
  starting: "it is still starting; try again in a moment",
  ready: "it is just being replaced; try again",
  restarting: "it is starting again; try again in a moment",
  failed: "it did not start",
  stopped: "it was stopped",
};
