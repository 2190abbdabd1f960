import { readFile } from "node:fs/promises";

/** The compiled interpreter; it can be handed to workers. */
export interface CompiledLua {
  readonly compiledLua: never;
}

/** A function as WebAssembly gives it out: it may stand in a table. */
export interface WasmFunction {
  (...values: readonly number[]): number;
}

type Task = (...values: number[]) => unknown;

interface WasmMemory {
  readonly buffer: ArrayBuffer;
  readonly grow: (pages: number) => number;
}

interface WasmTable {
  readonly get: (place: number) => Task;
  readonly grow: (count: number, value: WasmFunction) => number;
}

/** What is used of the global of this name, whose types come with those of browsers only. */
interface WasmApi {
  readonly compile: (code: Uint8Array) => Promise<CompiledLua>;
  readonly Module: {
    new (code: Uint8Array): CompiledLua;
    readonly imports: (
      compiled: CompiledLua,
    ) => readonly { readonly module: string; readonly name: string }[];
  };
  readonly Instance: new (
    compiled: CompiledLua,
    imports: Record<string, Record<string, Task>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}

const wasm = (globalThis as unknown as { readonly WebAssembly: WasmApi }).WebAssembly;

/**
 * The compiled Lua interpreter of the `wasmoon` package behind a host of our own. Its own JavaScript part brings a file
 * system, a shell and a value bridge through which a script could reach JavaScript objects; this one offers nothing but
 * memory, a clock and errors, so that what the sandbox takes away in Lua is not there underneath either.
 */
export interface LuaModule {
  readonly lua: LuaExports;
  readonly memory: WasmMemory;
  /** Makes a function of the host callable for the interpreter; the result is its place in the function table. */
  readonly addFunction: (kind: "i-i" | "ii-", task: () => number) => number;
  /** The same for a function of the interpreter itself. */
  readonly addExport: (exported: WasmFunction) => number;
}

/** What is used of the C interface of Lua 5.4; pointers and sizes are numbers. */
export interface LuaExports {
  readonly malloc: (size: number) => number;
  readonly free: (pointer: number) => void;
  readonly luaL_newstate: () => number;
  readonly lua_close: (state: number) => void;
  readonly luaL_requiref: (state: number, name: number, open: number, global: number) => void;
  readonly luaopen_base: WasmFunction;
  readonly luaopen_table: WasmFunction;
  readonly luaopen_string: WasmFunction;
  readonly luaopen_utf8: WasmFunction;
  readonly luaopen_math: WasmFunction;
  readonly luaopen_debug: WasmFunction;
  readonly luaL_loadbufferx: (
    state: number,
    buffer: number,
    size: number,
    name: number,
    mode: number,
  ) => number;
  readonly luaL_ref: (state: number, table: number) => number;
  readonly lua_rawgeti: (state: number, index: number, n: bigint) => number;
  readonly lua_pcallk: (
    state: number,
    argumentCount: number,
    resultCount: number,
    handler: number,
    context: number,
    continuation: number,
  ) => number;
  readonly lua_gettop: (state: number) => number;
  readonly lua_settop: (state: number, index: number) => void;
  readonly lua_absindex: (state: number, index: number) => number;
  readonly lua_checkstack: (state: number, count: number) => number;
  readonly lua_type: (state: number, index: number) => number;
  readonly lua_toboolean: (state: number, index: number) => number;
  readonly lua_tonumberx: (state: number, index: number, isNumber: number) => number;
  readonly lua_isinteger: (state: number, index: number) => number;
  readonly lua_tolstring: (state: number, index: number, length: number) => number;
  readonly lua_rawlen: (state: number, index: number) => bigint;
  readonly lua_pushnil: (state: number) => void;
  readonly lua_pushboolean: (state: number, value: number) => void;
  readonly lua_pushnumber: (state: number, value: number) => void;
  readonly lua_pushinteger: (state: number, value: bigint) => void;
  readonly lua_pushlstring: (state: number, pointer: number, length: number) => number;
  readonly lua_pushcclosure: (state: number, place: number, count: number) => void;
  readonly lua_createtable: (state: number, list: number, record: number) => void;
  readonly lua_rawset: (state: number, index: number) => void;
  readonly lua_rawseti: (state: number, index: number, n: bigint) => void;
  readonly lua_next: (state: number, index: number) => number;
  readonly lua_getstack: (state: number, level: number, activation: number) => number;
  readonly lua_getinfo: (state: number, what: number, activation: number) => number;
  readonly lua_sethook: (state: number, place: number, mask: number, count: number) => void;
}

interface Runtime extends LuaExports {
  readonly memory: WasmMemory;
  readonly __indirect_function_table: WasmTable;
  readonly __wasm_call_ctors: () => void;
  readonly emscripten_stack_init: () => void;
  readonly stackSave: () => number;
  readonly stackRestore: (pointer: number) => void;
  readonly setThrew: (threw: number, value: number) => void;
}

const wasmFile = new URL("../../../../../node_modules/wasmoon/dist/glue.wasm", import.meta.url);

/** Compiles the interpreter; the result can be handed to workers. */
export async function compileLua(): Promise<CompiledLua> {
  return wasm.compile(await readFile(wasmFile));
}

export interface LuaModuleOptions {
  readonly compiled: CompiledLua;
  /** Bound of all memory of the interpreter; what it starts with (16 MiB) is the least. */
  readonly memoryBytes: number;
  /** Told when memory was refused, while the interpreter waits for it. */
  readonly onMemoryRefused: () => void;
}

const pageBytes = 65_536;
/** What stands for `longjmp`, with which Lua raises errors. */
const jump = Symbol("longjmp");

export function createLuaModule(options: LuaModuleOptions): LuaModule {
  const { compiled, memoryBytes, onMemoryRefused } = options;
  const grow = (wantedBytes = 0): number => {
    const wanted = wantedBytes >>> 0;
    const held = memory.buffer.byteLength;
    if (wanted > memoryBytes) {
      onMemoryRefused();
      return 0;
    }
    // Some room ahead, so that growing does not happen at every step.
    const aimed = Math.min(memoryBytes, Math.max(wanted, held + held / 4));
    memory.grow(Math.ceil((aimed - held) / pageBytes));
    return 1;
  };
  const invoke = (place = 0, a = 0, b = 0): void => {
    const stack = runtime.stackSave();
    try {
      table.get(place)(a, b);
    } catch (error) {
      runtime.stackRestore(stack);
      if (error !== jump) throw error;
      runtime.setThrew(1, 0);
    }
  };
  const offered: Record<string, Task> = {
    emscripten_resize_heap: grow,
    invoke_vii: invoke,
    _emscripten_throw_longjmp: () => {
      // oxlint-disable-next-line typescript/only-throw-error -- it is told from real errors by its identity alone
      throw jump;
    },
    emscripten_date_now: () => Date.now(),
    _emscripten_get_now_is_monotonic: () => 0,
    // An environment without variables.
    environ_sizes_get: (count = 0, size = 0) => {
      const view = new DataView(memory.buffer);
      view.setUint32(count, 0, true);
      view.setUint32(size, 0, true);
      return 0;
    },
    environ_get: () => 0,
  };
  const imports: Record<string, Record<string, Task>> = {};
  for (const { module, name } of wasm.Module.imports(compiled)) {
    (imports[module] ??= {})[name] = offered[name] ?? refuse(name);
  }
  const runtime = new wasm.Instance(compiled, imports).exports as unknown as Runtime;
  const { memory, __indirect_function_table: table } = runtime;
  runtime.emscripten_stack_init();
  runtime.__wasm_call_ctors();
  const addExport = (exported: WasmFunction): number => table.grow(1, exported);
  return {
    lua: runtime,
    memory,
    addFunction: (kind, task) => addExport(toWasmFunction(kind, task)),
    addExport,
  };
}

/** Files, programs and the like: the libraries that would use them are never opened, so nothing gets here. */
function refuse(name: string): () => never {
  return () => {
    throw new Error(`the Lua interpreter asked for ${name}, which is not there`);
  };
}

/** Code of a module that takes one function in and gives it out again: the way a table takes a function of JavaScript. */
function toWasmFunction(kind: "i-i" | "ii-", task: () => number): WasmFunction {
  const i32 = 0x7f;
  const type = kind === "i-i" ? [0x60, 1, i32, 1, i32] : [0x60, 2, i32, i32, 0];
  const magic = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  const types = [1, type.length + 1, 1, ...type];
  const imported = [2, 7, 1, 1, 0x65, 1, 0x66, 0, 0];
  const given = [7, 5, 1, 1, 0x66, 0, 0];
  const code = [...magic, ...types, ...imported, ...given];
  const module = new wasm.Module(new Uint8Array(code));
  const exported = new wasm.Instance(module, { e: { f: task } }).exports["f"];
  return exported as WasmFunction;
}
