import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";

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

/** Scripts that come from elsewhere than the folder. */
export interface FetchedScriptTexts {
  readonly list: () => readonly string[];
  /** @throws HookError when the script is not there, or must not be used. */
  readonly read: (name: string) => string;
}

export interface LuaScriptsOptions {
  readonly directory: string;
  /** A file of the folder comes before one of these with its name. */
  readonly fetched?: FetchedScriptTexts | undefined;
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

/** Of a script that was used or loaded ahead. */
export interface ScriptStatus {
  readonly name: string;
  /** Names of its global functions. */
  readonly functions: readonly string[];
  /** Why the file as it is now cannot be used; empty when it can. */
  readonly problem: string;
  readonly workers: number;
}
