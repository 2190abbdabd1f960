/**
 * The Lua scripts of a folder, each in threads of its own.
 *
 * `createLuaScripts` is what turns use: `run(name, "before" | "after", context, …)` gives what the script returned as a
 * plain value, which `parseScriptVerdict` reads. The command line uses `createLuaMachine` (with `compileLua`) for a VM on
 * its own thread: `load`, then `run`, `call` or `evaluate`.
 */
import type { LuaStage } from "./lua-machine.ts";
import { compileLua } from "./lua-module.ts";
import { createScript, type Script } from "./create-script.ts";
import type { LuaValue } from "./lua-value.ts";
import type { LuaScriptRun, LuaScriptsOptions, ScriptStatus } from "./script-options.ts";
import { listScripts, openScriptFile, openScriptText, toScriptPath } from "./script-file.ts";
import { createSpareWorkers, type SpareWorkers } from "./spare-workers.ts";
import { startLuaWorker } from "./start-lua-worker.ts";
import type { LuaContext } from "./worker-messages.ts";

export type { LuaLimits, LuaScriptRun, ScriptStatus, ScriptStore } from "./script-options.ts";

export interface LuaScripts extends AsyncDisposable {
  readonly has: (name: string) => boolean;
  /** Names of all scripts of the folder and of those fetched, sorted. */
  readonly list: () => readonly string[];
  /**
   * Runs the functions of one stage; the newest saved version, or the last one that could be loaded.
   * @throws HookError; rejects with the signal's reason when that aborts.
   */
  readonly run: (
    name: string,
    stage: LuaStage,
    context: LuaContext,
    run: LuaScriptRun,
  ) => Promise<LuaValue>;
  /** Loads scripts ahead of their first use; what cannot be loaded is logged. Never rejects. */
  readonly preload: (names: readonly string[]) => Promise<void>;
  readonly status: () => readonly ScriptStatus[];
}

/** Of all scripts together: so many calls may hang at once before another one has to wait for a thread to start. */
const spareWorkers = 2;

export function createLuaScripts(options: LuaScriptsOptions): LuaScripts {
  const { directory, fetched } = options;
  const scripts = new Map<string, Script>();
  let starting: Promise<SpareWorkers> | undefined;

  const start = async (): Promise<SpareWorkers> => {
    const compiled = await compileLua();
    const { limits, environment, clock } = options;
    return createSpareWorkers({
      count: spareWorkers,
      start: () =>
        startLuaWorker({
          compiled,
          memoryBytes: limits.memoryMb * 1_048_576,
          environment,
          maxModelCalls: limits.maxModelCalls,
          clock,
        }),
    });
  };

  const open = async (name: string): Promise<Script> => {
    const workers = await (starting ??= start());
    const known = scripts.get(name);
    if (known !== undefined) return known;
    const path = toScriptPath(directory, name);
    if (path === undefined) throw new RangeError(`"${name}" is no name of a script`);
    const isFetched = fetched?.list().includes(name) === true;
    const shared = { ...options, name, startWorker: workers.take };
    const script =
      fetched === undefined || !isFetched || listScripts(directory).includes(name)
        ? createScript({ ...shared, file: openScriptFile(path, options.clock.now) })
        : // Nobody edits these; a change is a new version that was fetched, and it is looked for without a file.
          createScript({ ...shared, file: openScriptText(() => fetched.read(name)), watch: true });
    scripts.set(name, script);
    return script;
  };

  const list = (): readonly string[] =>
    [...new Set([...listScripts(directory), ...(fetched?.list() ?? [])])].sort();

  return {
    has: (name) => list().includes(name),
    list,
    run: async (name, stage, context, run) => (await open(name)).run(stage, context, run),
    preload: async (names) => {
      await Promise.all(names.map(async (name) => (await open(name)).preload()));
    },
    status: () => [...scripts.values()].map((script) => script.status()),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...scripts.values()].map((script) => script[Symbol.asyncDispose]()));
      await (await starting)?.[Symbol.asyncDispose]();
    },
  };
}
