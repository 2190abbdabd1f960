import type { LuaModule } from "./lua-module.ts";
import type { LuaValue } from "./lua-value.ts";

/** Copies plain values to and from the stack of a Lua state. Nothing of the script runs meanwhile: metamethods are passed over. */
export interface LuaStack {
  readonly push: (value: LuaValue) => void;
  /**
   * A copy that holds nothing but plain values: functions are left out; a table is a list where its keys are 1 to n.
   * @throws RangeError for what is nested deeper or larger than a hook could mean.
   */
  readonly read: (index: number) => LuaValue;
  /** The text at `index`, `undefined` when it is none. Bytes that are no UTF-8 become U+FFFD. */
  readonly readText: (index: number) => string | undefined;
  /** Puts a text into the memory of the interpreter for as long as `use` runs; it ends in a zero byte. */
  readonly lend: <Result>(
    text: string,
    use: (pointer: number, byteLength: number) => Result,
  ) => Result;
}

const maxDepth = 16;
const maxEntries = 10_000;
const maxTextBytes = 1_048_576;
/** Of all texts of one value: a script can put one text into many places, and each becomes a copy. */
const maxTotalBytes = 2_097_152;
const kinds = { boolean: 1, number: 3, string: 4, table: 5 } as const;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** Texts up to this many UTF-16 units go through one buffer that is kept. */
const keptUnits = 21_000;
const keptBytes = keptUnits * 3 + 1;

export function createLuaStack({ lua, memory }: LuaModule, state: number): LuaStack {
  const lengthPointer = lua.malloc(4);
  const kept = lua.malloc(keptBytes);
  let isKeptLent = false;

  const lend: LuaStack["lend"] = (text, use) => {
    const isShort = text.length <= keptUnits && !isKeptLent;
    const size = isShort ? keptBytes : text.length * 3 + 1;
    const pointer = isShort ? kept : lua.malloc(size);
    if (pointer === 0) throw new RangeError("not enough memory for the text");
    if (isShort) isKeptLent = true;
    try {
      const bytes = new Uint8Array(memory.buffer, pointer, size);
      const { written } = encoder.encodeInto(text, bytes);
      bytes[written] = 0;
      return use(pointer, written);
    } finally {
      if (isShort) isKeptLent = false;
      else lua.free(pointer);
    }
  };

  const pushText = (text: string): void =>
    lend(text, (pointer, byteLength) => void lua.lua_pushlstring(state, pointer, byteLength));

  const push = (value: LuaValue): void => {
    if (lua.lua_checkstack(state, 4) === 0) throw new RangeError("the stack is full");
    if (value === null) return lua.lua_pushnil(state);
    if (typeof value === "string") return pushText(value);
    if (typeof value === "boolean") return lua.lua_pushboolean(state, value ? 1 : 0);
    if (typeof value === "number") {
      return Number.isSafeInteger(value)
        ? lua.lua_pushinteger(state, BigInt(value))
        : lua.lua_pushnumber(state, value);
    }
    if (isList(value)) {
      lua.lua_createtable(state, value.length, 0);
      value.forEach((each, index) => {
        push(each);
        lua.lua_rawseti(state, -2, BigInt(index + 1));
      });
      return;
    }
    const entries = Object.entries(value);
    lua.lua_createtable(state, 0, entries.length);
    for (const [key, each] of entries) {
      pushText(key);
      push(each);
      lua.lua_rawset(state, -3);
    }
  };

  const readText = (index: number): string | undefined => {
    if (lua.lua_type(state, index) !== kinds.string) return undefined;
    const pointer = lua.lua_tolstring(state, index, lengthPointer);
    const byteLength = new DataView(memory.buffer).getUint32(lengthPointer, true);
    if (byteLength > maxTextBytes)
      throw new RangeError(`a text is longer than ${maxTextBytes / 1024} KiB`);
    return decoder.decode(new Uint8Array(memory.buffer, pointer, byteLength));
  };

  const byteLengthOf = (index: number): number =>
    lua.lua_type(state, index) === kinds.string ? Number(lua.lua_rawlen(state, index)) : 0;

  const read = (index: number): LuaValue => {
    let entries = 0;
    let textBytes = 0;
    const count = (at: number): void => {
      textBytes += byteLengthOf(at);
      if (textBytes > maxTotalBytes)
        throw new RangeError(`the texts of a table are longer than ${maxTotalBytes / 1024} KiB`);
    };
    const copy = (at: number, depth: number): LuaValue | undefined => {
      entries += 1;
      if (depth > maxDepth)
        throw new RangeError(`the table is nested deeper than ${maxDepth} levels`);
      if (entries > maxEntries)
        throw new RangeError(`the table has more than ${maxEntries} entries`);
      switch (lua.lua_type(state, at)) {
        case 0:
          return null;
        case kinds.boolean:
          return lua.lua_toboolean(state, at) !== 0;
        case kinds.number: {
          const number = lua.lua_tonumberx(state, at, 0);
          return Number.isFinite(number) ? number : null;
        }
        case kinds.string:
          count(at);
          return readText(at);
        case kinds.table:
          return copyTable(lua.lua_absindex(state, at), depth);
        default:
          return undefined;
      }
    };
    const copyTable = (at: number, depth: number): LuaValue => {
      if (lua.lua_checkstack(state, 4) === 0) throw new RangeError("the stack is full");
      const length = lua.lua_rawlen(state, at);
      if (length > 0) {
        const list: LuaValue[] = [];
        for (let place = 1; place <= length; place += 1) {
          lua.lua_rawgeti(state, at, BigInt(place));
          list.push(copy(-1, depth + 1) ?? null);
          lua.lua_settop(state, -2);
        }
        return list;
      }
      const pairs: [string, LuaValue][] = [];
      lua.lua_pushnil(state);
      while (lua.lua_next(state, at) !== 0) {
        count(-2);
        const key = readText(-2);
        const value = key === undefined ? undefined : copy(-1, depth + 1);
        if (key !== undefined && value !== undefined) pairs.push([key, value]);
        lua.lua_settop(state, -2);
      }
      // `fromEntries` defines properties, so that a key such as `__proto__` is a key like any other.
      return Object.fromEntries(pairs);
    };
    return copy(index, 0) ?? null;
  };

  return { push, read, readText, lend };
}

function isList(value: LuaValue): value is readonly LuaValue[] {
  return Array.isArray(value);
}
