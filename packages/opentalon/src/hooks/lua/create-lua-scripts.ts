/**
 * The Lua scripts of a folder, each in threads of its own.
 *
 * `createLuaScripts` is what turns use: `run(name, "before" | "after", context, …)` gives what the script returned as a
 * plain value, which `parseScriptVerdict` reads. The command line uses `createLuaMachine` (with `compileLua`) for a VM on
 * its own thread: `load`, then `run`, `call` or `evaluate`.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { LuaStage } from "./lua-machine.ts";
import { type CompiledLua, compileLua } from "./lua-module.ts";
import { createScript, type Script } from "./create-script.ts";
import type { LuaValue } from "./lua-value.ts";
import { listScripts, toScriptPath } from "./script-file.ts";
import type { LuaContext } from "./worker-messages.ts";

export interface LuaLimits {
  readonly memoryMb: number;
  /** Of one call, without what it waits for `ctx.llm` and the store. */
  readonly timeoutMs: number;
  /** Of one `ctx.llm`. */
  readonly modelTimeoutMs: number;
  /** Of `ctx.llm` in one call. */
  readonly maxModelCalls: number;
}

/** What scripts keep, by script and key; `undefined` as value removes the entry. */
export interface ScriptStore {
  readonly get: (script: string, key: string) => Promise<string | undefined>;
  readonly set: (script: string, key: string, value: string | undefined) => Promise<void>;
}

/** Answers `ctx.llm`; `alias` is empty when the script names no model. Rejections become errors of the script. */
export type AskModel = (prompt: string, alias: string, signal: AbortSignal) => Promise<string>;

export interface LuaScriptsOptions {
  readonly directory: string;
  /** Notice changed files. */
  readonly watch: boolean;
  readonly limits: LuaLimits;
  /** What `os.getenv` answers. */
  readonly environment: Readonly<Record<string, string>>;
  readonly store: ScriptStore;
  readonly clock: Clock;
  readonly log: Log;
}

export interface LuaScriptRun {
  readonly signal?: AbortSignal | undefined;
  readonly askModel: AskModel;
  readonly log: Log;
}

export interface LuaScripts extends AsyncDisposable {
  readonly has: (name: string) => boolean;
  /** Names of all scripts of the folder, sorted. */
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

/** Of a script that was used or loaded ahead. */
export interface ScriptStatus {
  readonly name: string;
  /** Names of its global functions. */
  readonly functions: readonly string[];
  /** Why the file as it is now cannot be used; empty when it can. */
  readonly problem: string;
  readonly workers: number;
}

export function createLuaScripts(options: LuaScriptsOptions): LuaScripts {
  const { directory } = options;
  const scripts = new Map<string, Script>();
  let compiled: Promise<CompiledLua> | undefined;

  const open = async (name: string): Promise<Script> => {
    const module = await (compiled ??= compileLua());
    const known = scripts.get(name);
    if (known !== undefined) return known;
    const path = toScriptPath(directory, name);
    if (path === undefined) throw new RangeError(`"${name}" is no name of a script`);
    const script = createScript({ ...options, name, path, compiled: module });
    scripts.set(name, script);
    return script;
  };

  return {
    has: (name) => listScripts(directory).includes(name),
    list: () => listScripts(directory),
    run: async (name, stage, context, run) => (await open(name)).run(stage, context, run),
    preload: async (names) => {
      await Promise.all(names.map(async (name) => (await open(name)).preload()));
    },
    status: () => [...scripts.values()].map((script) => script.status()),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...scripts.values()].map((script) => script[Symbol.asyncDispose]()));
    },
  };
}
