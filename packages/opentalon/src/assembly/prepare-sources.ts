import { type Backoff, createBackoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { SourceError, toMessage } from "../base/errors.ts";
import { createLimiter } from "../base/limiter.ts";
import type { Log } from "../base/log.ts";
import type { Config, Environment } from "../config/load-config.ts";
import type { BuildPurpose } from "../plugins/building/builder.ts";
import type { PreparedProgram } from "../plugins/plugin-entry.ts";
import type { WantedBuild } from "../plugins/sources/built-sources.ts";

/** Makes what has to be fetched and built ready to be used. */
export interface SourcePreparation extends AsyncDisposable {
  /**
   * The program of a plugin or channel: at once what is pinned and there, else fetched and built. Another version that was built before
   * serves when that fails. `onBuilding` is told when a build begins, which may take minutes.
   * @throws SourceError
   */
  readonly prepare: (
    wanted: WantedBuild,
    signal: AbortSignal,
    onBuilding?: () => void,
  ) => Promise<PreparedProgram>;
}

export interface SourcePreparationOptions {
  readonly purpose: BuildPurpose;
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

export function createSourcePreparation(options: SourcePreparationOptions): SourcePreparation {
  const { purpose, config, environment, clock, log } = options;
  const limit = createLimiter(buildsAtOnce);
  const failures = new Map<string, Failure>();
  const underWay = new Set<Promise<unknown>>();

  // Loaded when the first one needs it, so that others start quickly.
  const openSources = async () => {
    const { createBuiltSources } = await import("../plugins/sources/built-sources.ts");
    const sources = createBuiltSources({
      purpose,
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

  const build = async (
    wanted: WantedBuild,
    signal: AbortSignal,
    onBuilding: (() => void) | undefined,
  ): Promise<PreparedProgram> => {
    const { name, source } = wanted;
    const from = source.kind === "git" ? source.repository : source.path;
    const startedMs = clock.now();
    const sources = await (opened ??= openSources());
    try {
      return await limit(async () => {
        signal.throwIfAborted();
        log.info({ [purpose]: name, from }, `fetching and building a ${purpose}`);
        const onLine = (line: string): void => log.debug({ [purpose]: name }, line);
        const { program, commit } = await sources.install(wanted, { signal, onLine, onBuilding });
        failures.delete(toKey(wanted));
        const took = formatDuration(clock.now() - startedMs);
        log.info({ [purpose]: name, from, commit, took }, `a ${purpose} was built`);
        return program;
      });
    } catch (error) {
      if (!signal.aborted) report(wanted, error);
      throw error;
    }
  };

  const report = (wanted: WantedBuild, error: unknown): void => {
    const { name, source } = wanted;
    const { code = "", lastLines = [] } = error instanceof SourceError ? error : {};
    log.error(
      { [purpose]: name, err: error, lastLines },
      `a ${purpose} could not be fetched and built`,
    );
    // What costs little is tried again whenever it is wanted; a folder may have changed since.
    if (source.kind !== "git" || !dearFailures.has(code)) return;
    const key = toKey(wanted);
    const backoff = failures.get(key)?.backoff ?? createBackoff(retry);
    failures.set(key, { error, backoff, untilMs: clock.now() + backoff.nextMs() });
  };

  const prepare: SourcePreparation["prepare"] = async (wanted, signal, onBuilding) => {
    const { name } = wanted;
    if (wanted.source.kind === "folder") {
      const { findReadyProgram } = await import("../plugins/sources/find-ready-program.ts");
      const ready = await findReadyProgram(purpose, wanted);
      if (ready !== undefined) return ready;
    }
    const sources = await (opened ??= openSources());
    const found = await sources.find(wanted);
    if (found.kind === "current") return found.program;
    const failure = failures.get(toKey(wanted));
    try {
      if (failure !== undefined && clock.now() < failure.untilMs) throw failure.error;
      const building = build(wanted, signal, onBuilding);
      track(building);
      return await building;
    } catch (error) {
      if (found.kind === "none" || signal.aborted) throw withLastLine(error);
      log.warn({ [purpose]: name, commit: found.commit }, "what was built before stays in use");
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

const toKey = ({ name, source }: WantedBuild): string => JSON.stringify([name, source]);

/** What stands behind its name in lists; all lines are in the log. */
function withLastLine(error: unknown): unknown {
  const last = error instanceof SourceError ? error.lastLines.at(-1) : undefined;
  if (last === undefined || !(error instanceof SourceError)) return error;
  return new SourceError(error.code, `${toMessage(error)}: ${last}`, error);
}
