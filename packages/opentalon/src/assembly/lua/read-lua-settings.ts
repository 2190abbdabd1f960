import type { Config, Environment } from "../../config/load-config.ts";
import type { LuaLimits } from "../../hooks/lua/create-lua-scripts.ts";

export interface LuaSettings {
  readonly limits: LuaLimits;
  /** What `os.getenv` answers. */
  readonly environment: Readonly<Record<string, string>>;
}

const defaults = { memoryMb: 64, timeoutMs: 5_000, modelTimeoutMs: 10_000, maxModelCalls: 3 };

/** Limits and variables of scripts, as configured; without a configuration the usual limits and no variables. */
export function readLuaSettings(config: Config | undefined, environment: Environment): LuaSettings {
  if (config === undefined) return { limits: defaults, environment: {} };
  const { limits, environment: names } = config.lua;
  return {
    limits: {
      memoryMb: limits.memoryMb,
      timeoutMs: limits.timeoutSeconds * 1_000,
      modelTimeoutMs: limits.llmTimeoutSeconds * 1_000,
      maxModelCalls: limits.llmMaxCalls,
    },
    environment: Object.fromEntries(
      names.flatMap((name) => {
        const value = environment[name];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
  };
}
