import { randomInt } from "node:crypto";
import { type CompiledLua, createLuaModule, type WasmFunction } from "./lua-module.ts";
import { sandbox } from "./lua-sandbox.ts";
import { createLuaStack } from "./lua-stack.ts";
import { answerTimeCall } from "./lua-time.ts";
import type { HostAnswer, LuaValue } from "./lua-value.ts";

export interface LuaMachineOptions {
  /** From `compileLua`. */
  readonly compiled: CompiledLua;
  /** Bound of everything the VM allocates; at least the 16 MiB it starts with. */
  readonly memoryBytes: number;
  /** What `os.getenv` answers; all other names are unset. */
  readonly environment: Readonly<Record<string, string>>;
  /** Answers `print` (as `log`) and the functions of `ctx`: `log`, `kv_get`, `kv_set`, `llm`. Must not throw. */
  readonly onHostCall: (name: string, values: readonly LuaValue[]) => HostAnswer;
  /** Told now and then, while the script runs, in which line it is. */
  readonly onLine?: ((line: number) => void) | undefined;
}

/** `before` the model: filter, prepare or pre_hook. `after` it: post_hook, format. */
export type LuaStage = "before" | "after";

export type LuaOutcome<Value> =
  | { readonly kind: "done"; readonly value: Value }
  | {
      readonly kind: "failed";
      readonly problem: string;
      /** 0 when it is not known. */
      readonly line: number;
      readonly isMemory: boolean;
    };

/**
 * A Lua VM with at most one script in it, on the thread of its caller: what a script does not end keeps that thread. An
 * error thrown means that the VM is broken and must be replaced.
 */
export interface LuaMachine {
  /** Compiles the script and runs its file once; gives the names of its global functions. What was loaded stays when it fails. */
  readonly load: (source: string, name: string) => LuaOutcome<readonly string[]>;
  /** Runs the functions of one stage. */
  readonly run: (
    stage: LuaStage,
    context: Readonly<Record<string, LuaValue>>,
  ) => LuaOutcome<LuaValue>;
  /** Calls one global function, with the file run afresh; tables with a `message` get the functions of `ctx`. */
  readonly call: (name: string, values: readonly LuaValue[]) => LuaOutcome<LuaValue>;
  /**
   * Runs a line typed by a person in one lasting environment that has the script's globals; gives its values as text.
   * A `context` starts that environment afresh and is its `ctx`. A problem that ends in `<eof>` means: not complete yet.
   */
  readonly evaluate: (
    source: string,
    context?: Readonly<Record<string, LuaValue>>,
  ) => LuaOutcome<readonly string[]>;
  /** Bytes held from the host. */
  readonly memoryBytes: () => number;
}

interface ReportedProblem {
  readonly message?: string;
  readonly line?: number;
  /** Line in which the function begins that was called. */
  readonly start?: number;
}

const registryIndex = -1_001_000;
const countMask = 8;
const instructionsPerLook = 10_000;
/** `lua_Debug`: its size, and where `source` and `currentline` stand in it. */
const activationBytes = 160;
const sourceOffset = 16;
const currentLineOffset = 24;
const deepestLevel = 50;
const maxSeed = 2 ** 48 - 1;

/** Starts a VM that knows nothing but what a hook needs. */
export function createLuaMachine(options: LuaMachineOptions): LuaMachine {
  const { compiled, memoryBytes, environment, onHostCall, onLine } = options;
  let lastLine = 0;
  const module = createLuaModule({
    compiled,
    memoryBytes,
    onMemoryRefused: () => note(),
  });
  const { lua, memory, addFunction } = module;
  const state = lua.luaL_newstate();
  const { push, read, readText, lend } = createLuaStack(module, state);

  const activation = lua.malloc(activationBytes);
  const wanted = lua.malloc(4);
  new Uint8Array(memory.buffer).set([0x53, 0x6c, 0], wanted);
  let chunkName = new Uint8Array();

  const isScript = (source: number): boolean => {
    const bytes = new Uint8Array(memory.buffer, source, chunkName.length + 1);
    return chunkName.every((byte, index) => bytes[index] === byte) && bytes.at(-1) === 0;
  };
  /** The line of the script that is being run, 0 when there is none. Allocates nothing. */
  const findLine = (): number => {
    for (let level = 0; level < deepestLevel; level += 1) {
      if (lua.lua_getstack(state, level, activation) === 0) return 0;
      lua.lua_getinfo(state, wanted, activation);
      const view = new DataView(memory.buffer, activation, activationBytes);
      const line = view.getInt32(currentLineOffset, true);
      if (line > 0 && isScript(view.getUint32(sourceOffset, true))) return line;
    }
    return 0;
  };
  const note = (): void => {
    const line = findLine();
    if (line === 0) return;
    lastLine = line;
    onLine?.(line);
  };

  const pushAnswer = (answer: HostAnswer): number => {
    lua.lua_pushboolean(state, "value" in answer ? 1 : 0);
    push("value" in answer ? answer.value : answer.problem);
    return 2;
  };
  const host = addFunction("i-i", () => {
    const values: LuaValue[] = [];
    let answer: HostAnswer;
    try {
      const name = readText(1) ?? "";
      for (let index = 2; index <= lua.lua_gettop(state); index += 1) values.push(read(index));
      answer = answerTimeCall(name, values) ?? onHostCall(name, values);
    } catch (error) {
      answer = { problem: toLimit(error).message };
    }
    const top = lua.lua_gettop(state);
    try {
      return pushAnswer(answer);
    } catch (error) {
      // Nothing of ours may pass through the interpreter: its own frames would be left as they are.
      const { message } = toLimit(error);
      lua.lua_settop(state, top);
      return pushAnswer({ problem: message });
    }
  });
  const mark = addFunction("i-i", () => {
    note();
    return 0;
  });

  const open = (name: string, place: WasmFunction): void => {
    const at = addExport(place);
    lend(name, (pointer) => lua.luaL_requiref(state, pointer, at, 1));
    lua.lua_settop(state, 0);
  };
  const addExport = module.addExport;
  open("_G", lua.luaopen_base);
  open("table", lua.luaopen_table);
  open("string", lua.luaopen_string);
  open("utf8", lua.luaopen_utf8);
  open("math", lua.luaopen_math);
  open("debug", lua.luaopen_debug);

  lend(sandbox, (pointer, size) =>
    lend("=sandbox", (name) => lua.luaL_loadbufferx(state, pointer, size, name, 0)),
  );
  lua.lua_pushcclosure(state, host, 0);
  lua.lua_pushcclosure(state, mark, 0);
  push({ ...environment });
  push(memoryBytes);
  push(randomInt(maxSeed));
  if (lua.lua_pcallk(state, 5, 1, 0, 0, 0) !== 0) throw new Error(readText(-1) ?? "no sandbox");
  const functions = new Map<string, number>();
  lua.lua_pushnil(state);
  while (lua.lua_next(state, 1) !== 0)
    functions.set(readText(-2) ?? "", lua.luaL_ref(state, registryIndex));
  lua.lua_settop(state, 0);
  if (onLine !== undefined)
    lua.lua_sethook(
      state,
      addFunction("ii-", () => (note(), 0)),
      countMask,
      instructionsPerLook,
    );

  const run = (name: string, values: readonly LuaValue[]): LuaOutcome<LuaValue> => {
    lastLine = 0;
    try {
      lua.lua_rawgeti(state, registryIndex, BigInt(functions.get(name) ?? 0));
      for (const value of values) push(value);
      const status = lua.lua_pcallk(state, values.length, 2, 0, 0, 0);
      if (status !== 0) return toFailure(readText(-1) ?? "the VM failed");
      if (lua.lua_toboolean(state, 1) !== 0) return { kind: "done", value: read(2) };
      const { message = "the script failed", line, start } = read(2) as ReportedProblem;
      return toFailure(message, line, start);
    } catch (error) {
      return toFailure(toLimit(error).message);
    } finally {
      lua.lua_settop(state, 0);
    }
  };
  const toFailure = (problem: string, line = 0, start = 0): LuaOutcome<never> => {
    const isMemory = problem.includes("not enough memory");
    const named = Number(/^[\w.-]+:(\d+):/.exec(problem)?.[1] ?? 0);
    return { kind: "failed", problem, line: named || line || lastLine || start, isMemory };
  };

  return {
    load: (source, name) => {
      chunkName = new TextEncoder().encode(`=${name}`);
      return run("load", [source, name]) as LuaOutcome<readonly string[]>;
    },
    run: (stage, context) => run("run", [stage, context]),
    call: (name, values) => run("call", [name, ...values]),
    evaluate: (source, context) =>
      run("evaluate", [source, context ?? null]) as LuaOutcome<readonly string[]>,
    memoryBytes: () => memory.buffer.byteLength,
  };
}

/**
 * The error when it is one of our own limits, after which the VM goes on.
 * @throws any other error; a stack of the host that is full looks like ours, but leaves the VM in the middle of a call.
 */
function toLimit(error: unknown): RangeError {
  if (!(error instanceof RangeError) || error.message.includes("call stack")) throw error;
  return error;
}
