import { type Backoff, createBackoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { SourceError, toMessage } from "../base/errors.ts";
import { createLimiter } from "../base/limiter.ts";
import type { Log } from "../base/log.ts";
import type { Config, Environment } from "../config/load-config.ts";
import type { PreparedProgram } from "../plugins/plugin-entry.ts";
import type { WantedPlugin } from "../plugins/sources/plugin-sources.ts";

/** Makes programs that have to be fetched and built ready to be started. */
export interface PluginPreparation extends AsyncDisposable {
  /**
   * The program of a plugin: at once what is pinned and there, else fetched and built. Another version that was built before
   * serves when that fails.
   * @throws SourceError
   */
  readonly prepare: (wanted: WantedPlugin, signal: AbortSignal) => Promise<PreparedProgram>;
}

export interface PluginPreparationOptions {
  readonly config: Pick<Config, "state" | "pluginSettings">;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
}

interface Failure {
  readonly error: unknown;
  readonly untilMs: number;
  readonly backoff: Backoff;
}

const buildsAtOnce = 2;
const dearFailures: ReadonlySet<string> = new Set(["SOURCE_BUILD_FAILED", "SOURCE_TIMED_OUT"]);
/** A build takes all the machine has; one that failed will most likely fail again. */
const retry = { initialMs: 30_000, maxMs: 3_600_000, jitter: 0.2 };

export function createPluginPreparation(options: PluginPreparationOptions): PluginPreparation {
  const { config, environment, clock, log } = options;
  const limit = createLimiter(buildsAtOnce);
  const failures = new Map<string, Failure>();
  const underWay = new Set<Promise<unknown>>();

  // Loaded when the first plugin needs it, so that others start quickly.
  const openSources = async () => {
    const { createPluginSources } = await import("../plugins/sources/plugin-sources.ts");
    const sources = createPluginSources({
      dataDir: config.state.dataDir,
      buildTimeoutMs: config.pluginSettings.tools.buildTimeoutMs,
      clock,
      host: environment,
      log,
    });
    track(sources.removeUnused());
    return sources;
  };
  let opened: ReturnType<typeof openSources> | undefined;
  const track = (pending: Promise<unknown>): void => {
    const settled = pending.catch(() => undefined).finally(() => underWay.delete(settled));
    underWay.add(settled);
  };

  const build = async (wanted: WantedPlugin, signal: AbortSignal): Promise<PreparedProgram> => {
    const { name, source } = wanted;
    const from = source.kind === "git" ? source.repository : source.path;
    const startedMs = clock.now();
    const sources = await (opened ??= openSources());
    try {
      return await limit(async () => {
        signal.throwIfAborted();
        log.info({ plugin: name, from }, "fetching and building a plugin");
        const onLine = (line: string): void => log.debug({ plugin: name }, line);
        const { program, commit } = await sources.install(wanted, { signal, onLine });
        failures.delete(toKey(wanted));
        const took = formatDuration(clock.now() - startedMs);
        log.info({ plugin: name, from, commit, took }, "a plugin was built");
        return program;
      });
    } catch (error) {
      if (!signal.aborted) report(wanted, error);
      throw error;
    }
  };

  const report = (wanted: WantedPlugin, error: unknown): void => {
    const { name, source } = wanted;
    const { code = "", lastLines = [] } = error instanceof SourceError ? error : {};
    log.error({ plugin: name, err: error, lastLines }, "a plugin could not be fetched and built");
    // What costs little is tried again whenever the plugin is; a folder may have changed since.
    if (source.kind !== "git" || !dearFailures.has(code)) return;
    const key = toKey(wanted);
    const backoff = failures.get(key)?.backoff ?? createBackoff(retry);
    failures.set(key, { error, backoff, untilMs: clock.now() + backoff.nextMs() });
  };

  const prepare = async (wanted: WantedPlugin, signal: AbortSignal): Promise<PreparedProgram> => {
    const { name } = wanted;
    if (wanted.source.kind === "folder") {
      const { findReadyProgram } = await import("../plugins/sources/find-ready-program.ts");
      const ready = await findReadyProgram(wanted);
      if (ready !== undefined) return ready;
    }
    const sources = await (opened ??= openSources());
    const found = await sources.find(wanted);
    if (found.kind === "current") return found.program;
    const failure = failures.get(toKey(wanted));
    try {
      if (failure !== undefined && clock.now() < failure.untilMs) throw failure.error;
      const building = build(wanted, signal);
      track(building);
      return await building;
    } catch (error) {
      if (found.kind === "none" || signal.aborted) throw withLastLine(error);
      log.warn({ plugin: name, commit: found.commit }, "what was built before stays in use");
      return found.program;
    }
  };

  return {
    prepare,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(underWay);
    },
  };
}

const toKey = ({ name, source }: WantedPlugin): string => JSON.stringify([name, source]);

/** What stands behind the plugin in lists; all lines are in the log. */
function withLastLine(error: unknown): unknown {
  const last = error instanceof SourceError ? error.lastLines.at(-1) : undefined;
  if (last === undefined || !(error instanceof SourceError)) return error;
  return new SourceError(error.code, `${toMessage(error)}: ${last}`, error);
}
