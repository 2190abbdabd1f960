import { join } from "node:path";
import { createBackoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { ConfigError, HookError, SourceError, toMessage } from "../../base/errors.ts";
import { createLimiter } from "../../base/limiter.ts";
import type { Log } from "../../base/log.ts";
import type { Config, Environment } from "../../config/load-config.ts";
import type { FetchedScriptTexts } from "../../hooks/lua/script-options.ts";
import { isScriptName, maxScriptBytes } from "../../hooks/lua/script-file.ts";
import { checkReference, parseSourceAddress } from "../../plugins/sources/parse-source.ts";
import {
  createPinnedSources,
  type PresentSource,
  type WantedSource,
} from "../../plugins/sources/pinned-sources.ts";
import { readInside } from "../../plugins/sources/source-files.ts";

export interface FetchedScriptsOptions {
  readonly config: Pick<Config, "lua" | "state">;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
}

/** The scripts of `lua.plugins`. */
export interface FetchedScripts extends FetchedScriptTexts, AsyncDisposable {
  /** Resolves when all are there or have failed, and after ten seconds at the latest. Never rejects. */
  readonly settled: Promise<void>;
}

/** One repository at one reference, and the scripts that come from it. */
interface ScriptSource extends WantedSource {
  /** Paths by name. */
  readonly scripts: ReadonlyMap<string, string>;
}

const startPatienceMs = 10_000;
const fetchesAtOnce = 2;
const retry = { initialMs: 30_000, maxMs: 3_600_000, jitter: 0.2 };

/**
 * Begins to fetch what is not there yet; what is pinned and there needs no network.
 * @throws ConfigError when an entry of `lua.plugins` cannot be understood.
 */
export function createFetchedScripts(options: FetchedScriptsOptions): FetchedScripts {
  const { config, environment, clock, log } = options;
  const sources = toScriptSources(config.lua);
  const { dataDir } = config.state;
  const pinned = createPinnedSources({
    lockFile: join(dataDir, "lua_plugins.lock"),
    section: "plugins",
    folder: join(dataDir, "lua_plugins"),
    clock,
    host: environment,
  });
  const texts = new Map<string, string>();
  const problems = new Map<string, string>();
  const ending = new AbortController();
  const limit = createLimiter(fetchesAtOnce);

  const adopt = async (source: ScriptSource, { folder, commit }: PresentSource): Promise<void> => {
    for (const [name, path] of source.scripts) {
      try {
        const text = await readInside(folder, path, maxScriptBytes);
        if (text === undefined) {
          throw new SourceError(
            "SOURCE_MISSING",
            `${source.repository} has no ${path} at ${commit.slice(0, 12)}, which is pinned in lua_plugins.lock; delete the entry there to have the newest fetched`,
          );
        }
        texts.set(name, text);
        problems.delete(name);
      } catch (error) {
        texts.delete(name);
        problems.set(name, toMessage(error));
        log.error({ err: error, script: name }, "a script of lua.plugins cannot be used");
      }
    }
  };

  const refuse = (source: ScriptSource, error: unknown, words: string): void => {
    const scripts = [...source.scripts.keys()];
    for (const name of scripts) if (!texts.has(name)) problems.set(name, toMessage(error));
    const { repository, reference } = source;
    log.error({ err: error, repository, reference, scripts }, words);
  };

  const fetch = async (source: ScriptSource): Promise<boolean> => {
    const { repository, reference } = source;
    const onProgress = (line: string): void => log.debug({ repository }, line);
    try {
      const present = await limit(() => pinned.fetch(source, ending.signal, onProgress));
      log.info({ repository, reference, commit: present.commit }, "Lua scripts were fetched");
      await adopt(source, present);
      return true;
    } catch (error) {
      if (ending.signal.aborted) return true;
      const isUsed = [...source.scripts.keys()].some((name) => texts.has(name));
      const instead = isUsed ? "; what was fetched before stays in use" : "";
      refuse(source, error, `Lua scripts could not be fetched${instead}`);
      const isPassing =
        error instanceof SourceError &&
        (error.code === "SOURCE_UNAVAILABLE" || error.code === "SOURCE_TIMED_OUT");
      return !isPassing;
    }
  };

  /** Resolves with whether it is settled for good. */
  const prepare = async (source: ScriptSource): Promise<boolean> => {
    try {
      const found = await pinned.find(source);
      if (found.kind !== "none") await adopt(source, found);
      if (found.kind === "current") return true;
    } catch (error) {
      refuse(source, error, "Lua scripts are refused");
      return true;
    }
    return fetch(source);
  };

  const keepTrying = async (source: ScriptSource): Promise<void> => {
    const backoff = createBackoff(retry);
    do await clock.sleep(backoff.nextMs(), ending.signal);
    while (!ending.signal.aborted && !(await fetch(source)));
  };

  const retrying: Promise<void>[] = [];
  const prepared = Promise.all(
    sources.map(async (source) => {
      if (!(await prepare(source))) retrying.push(keepTrying(source));
    }),
  ).then(async () => {
    // A fetch that is tried again may have put its folder there without having pinned it yet.
    const isQuiet = retrying.length === 0 && !ending.signal.aborted;
    if (isQuiet && sources.length > 0) await pinned.removeUnused();
  });

  const waitAtStart = async (): Promise<void> => {
    if (sources.length === 0) return;
    const patience = new AbortController();
    await Promise.race([prepared, clock.sleep(startPatienceMs, patience.signal)]);
    patience.abort();
  };

  return {
    list: () => sources.flatMap(({ scripts }) => [...scripts.keys()]),
    read: (name) => {
      const text = texts.get(name);
      if (text !== undefined) return text;
      const problem = problems.get(name) ?? "it is still being fetched";
      throw new HookError("HOOK_UNUSABLE", problem, { script: name });
    },
    settled: waitAtStart(),
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await prepared;
      await Promise.all(retrying);
    },
  };
}

/**
 * The default repository holds many scripts, each in a folder of its name; one that an entry names itself holds the
 * script at its top.
 */
function toScriptSources(lua: Config["lua"]): readonly ScriptSource[] {
  const shared = new Map<string, string>();
  const sources: ScriptSource[] = [];
  const seen = new Set<string>();
  for (const { name, github, ref } of lua.plugins) {
    if (!isScriptName(name))
      throw new ConfigError(
        "CONFIG_INVALID",
        `lua.plugins: "${name}" is no name of a script; letters, digits, "_", "-" and "." are`,
      );
    if (seen.has(name))
      throw new ConfigError("CONFIG_INVALID", `lua.plugins names ${name} twice; remove one`);
    seen.add(name);
    const repository = github === "" ? lua.defaultGithub : github;
    if (repository === "")
      throw new ConfigError(
        "CONFIG_INVALID",
        `lua.plugins: it is not said where ${name} comes from; set its github, or lua.default_github`,
      );
    if (github === "" && (ref === "" || ref === lua.defaultRef)) {
      shared.set(name, `${name}/${name}.lua`);
      continue;
    }
    const path = github === "" ? `${name}/${name}.lua` : `${name}.lua`;
    const scripts = new Map([[name, path]]);
    sources.push(toSource(`lua.plugins: ${name}`, { name, repository, reference: ref, scripts }));
  }
  if (shared.size > 0) {
    const { defaultGithub: repository, defaultRef: reference } = lua;
    sources.push(
      toSource("lua.default_github, lua.default_ref", {
        name: "",
        repository,
        reference,
        scripts: shared,
      }),
    );
  }
  return sources;
}

function toSource(key: string, source: ScriptSource): ScriptSource {
  try {
    parseSourceAddress(source.repository);
    checkReference(source.reference);
    return source;
  } catch (error) {
    throw new ConfigError("CONFIG_INVALID", `${key}: ${toMessage(error)}`);
  }
}
