/** Ways out of the sandbox, tried one by one. Each line is a script; what it gives must be what is said beside it. */
import { beforeAll, describe, expect, it } from "vitest";
import { createLuaMachine, type LuaMachine, type LuaMachineOptions } from "./lua-machine.ts";
import { type CompiledLua, compileLua } from "./lua-module.ts";

let compiled: CompiledLua;
beforeAll(async () => {
  compiled = await compileLua();
});

function start(options: Partial<LuaMachineOptions> = {}): LuaMachine {
  return createLuaMachine({
    compiled,
    memoryBytes: 24 * 1_048_576,
    environment: { TEAM: "blue" },
    onHostCall: () => ({ value: null }),
    ...options,
  });
}

/** The value of an expression, or the problem. */
function evaluate(code: string, machine = start()): unknown {
  const loaded = machine.load(`function probe() ${code} end`, "probe.lua");
  if (loaded.kind === "failed") return loaded.problem;
  const outcome = machine.call("probe", []);
  return outcome.kind === "done" ? outcome.value : outcome.problem;
}

describe("what is not there", () => {
  it.each(
    "io debug package require dofile loadfile collectgarbage coroutine warn os.execute os.exit os.remove os.rename os.tmpname os.setlocale os.difftime string.dump js host mark current".split(
      " ",
    ),
  )("%s", (name) => {
    expect(evaluate(`return ${name} == nil`)).toBe(true);
  });

  it("is not found by looking through everything that is there either", () => {
    const names = evaluate(`
      local seen, found = {}, {}
      local function walk(value, path, depth)
        if depth > 6 or seen[value] then return end
        if type(value) == "function" then found[#found + 1] = path return end
        if type(value) ~= "table" then return end
        seen[value] = true
        for key, inner in pairs(value) do walk(inner, path .. "." .. tostring(key), depth + 1) end
        local metatable = getmetatable(value)
        if type(metatable) == "table" then walk(metatable, path .. "(meta)", depth + 1) end
      end
      walk(_G, "_G", 0)
      return found`);
    expect(names).toEqual(["_G.probe"]);
  });

  it("the environment of the program, but for names that are allowed", () => {
    expect(evaluate(`return os.getenv("TEAM")`)).toBe("blue");
    expect(evaluate(`return os.getenv("PATH") == nil and os.getenv("HOME") == nil`)).toBe(true);
    expect(evaluate(`return os.getenv("constructor") == nil`)).toBe(true);
  });
});

describe("metatables and environments", () => {
  it.each([
    ['return getmetatable("")', false],
    [`return pcall(setmetatable, "", {})`, false],
    [`return getmetatable(_G)`, false],
    [`return getmetatable(string)`, false],
    [`return pcall(setmetatable, _G, {})`, false],
    [`return pcall(setmetatable, string, {})`, false],
    [`return rawget(_G, "print") == nil and rawget(string, "format") == nil`, true],
    [`return _ENV == _G`, true],
    [`_ENV = { tostring = tostring }; return tostring(1)`, "1"],
    [`return load("return io")() == nil`, true],
    [`return load("return io", "x", "t", nil) ~= nil`, true],
    [`local f = load("return 1 + x", "x", "t", { x = 2 }); return f()`, 3],
    [`return load("x = 5", "x", "t", {}) and x == nil`, true],
    [`return loadstring("return 7")()`, 7],
    [`return load(function() return nil end) ~= nil`, true],
  ])("%s", (code, expected) => {
    expect(evaluate(code)).toEqual(expected);
  });

  it("bytecode is not loaded, whatever mode is asked for", () => {
    expect(evaluate(`return select(2, load("\\27Lua", "x", "b"))`)).toContain("binary chunk");
    expect(evaluate(`return select(2, load("\\27Lua", "x", "bt"))`)).toContain("binary chunk");
  });

  it("finalizers are refused, so that nothing runs when no call is under way", () => {
    const problem = evaluate(`setmetatable({}, { __gc = function() while true do end end })`);
    expect(problem).toContain("__gc is not available");
  });

  it("one call leaves nothing behind for the next: globals, libraries, file-level variables", () => {
    const machine = start();
    machine.load(
      `local count = 0
       shared = {}
       function probe(given)
         count = count + 1
         local before = { seen = leaked, format = string.mine, inner = shared.x, count = count }
         leaked, string.mine, shared.x = given, given, given
         string.format = nil
         table.insert = nil
         return before
       end`,
      "probe.lua",
    );
    const first = machine.call("probe", ["secret"]);
    expect(machine.call("probe", ["other"])).toEqual(first);
    expect(first).toEqual({ kind: "done", value: { count: 1 } });
  });

  it("changed libraries do not reach what the sandbox itself uses", () => {
    const calls: unknown[] = [];
    const machine = start({
      onHostCall: (name, values) => (calls.push([name, values]), { value: null }),
    });
    machine.load(
      `tostring = function() return "poison" end
       table.concat = function() return "poison" end
       type = nil; error = nil; select = nil; setmetatable = nil
       function pre_hook(ctx) ctx.log("info", "clean", 1) end`,
      "probe.lua",
    );
    expect(machine.run("before", { message: "m" })).toMatchObject({ kind: "done" });
    expect(calls).toEqual([["log", ["info", "clean\t1"]]]);
  });
});

describe("values that cross", () => {
  it("are copies: names of JavaScript's own objects mean nothing", () => {
    const machine = start();
    machine.load(
      `function probe(given)
         return {
           given.constructor == nil, given.__proto__ == nil, given.message.constructor == nil,
           pcall(function() return given.toString() end), type(given)
         }
       end`,
      "probe.lua",
    );
    expect(machine.call("probe", [{ message: "m" }])).toEqual({
      kind: "done",
      value: [true, true, true, false, "table"],
    });
  });

  it("keys such as __proto__ come out as keys and change no object", () => {
    const result = evaluate(`return { ["__proto__"] = { polluted = true }, constructor = "c" }`);
    expect(Object.keys(result as object).sort()).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it("metamethods are not run when a result is read, and cycles end", () => {
    expect(
      evaluate(`return setmetatable({}, { __index = function() while true do end end })`),
    ).toEqual({});
    expect(evaluate(`local t = {}; t.t = t; return t`)).toContain("nested deeper");
    expect(evaluate(`local t = {}; for i = 1, 20000 do t[i] = i end; return t`)).toContain(
      "entries",
    );
    expect(evaluate(`return string.rep("x", 2000000)`)).toContain("longer than");
  });

  it("texts keep every character; bytes that are no UTF-8 become U+FFFD", () => {
    const machine = start();
    machine.load(`function probe(text) return text end`, "probe.lua");
    for (const text of ["", "a\0b", "é😀", "x".repeat(300_000), "\u{feff}bom"])
      expect(machine.call("probe", [text])).toEqual({ kind: "done", value: text });
    expect(evaluate(`return "a\\xff\\xfeb"`)).toBe("a\u{fffd}\u{fffd}b");
  });

  it("errors that are no texts are described and not handed out", () => {
    expect(evaluate(`error({ secret = 1 })`)).toBe("an error object, which is a table, was raised");
    expect(
      evaluate(`error(setmetatable({}, { __tostring = function() error("x") end }))`),
    ).toContain("table");
    expect(evaluate(`error(nil)`)).toContain("nil");
    expect(evaluate(`return select(2, pcall(error))`)).toBe(null);
  });
});

describe("bombs end, with the line", () => {
  it.each([
    ["doubling", `local s = "x"\nwhile true do\ns = s .. s\nend`, 3],
    ["tables", `local t = {}\nwhile true do t[#t + 1] = {} end`, 2],
    ["string.rep", `\nlocal s = string.rep("x", 1e10)`, 2],
    ["string.rep as the last call", `\nreturn ("x"):rep(1e10)`, 1],
    [
      "table.concat",
      `local t = {}\nfor i = 1, 9 do t[i] = ("x"):rep(5e6) end\nreturn table.concat(t)`,
      2,
    ],
    ["recursion", `\nlocal function f() return 1 + f() end\nf()`, 2],
    ["recursion through gsub", `\nlocal function f() return (("a"):gsub("a", f)) end\nf()`, 2],
    [
      "recursion through pcall",
      `\nlocal function f() local a, b = pcall(f) error(b, 0) end\nf()`,
      undefined,
    ],
    [
      "recursion through a metatable",
      `local t = setmetatable({}, {})\ngetmetatable(t).__index = function(t, k) return t[k] end\nreturn t.x`,
      undefined,
    ],
    ["unpacking", `\nreturn table.unpack({}, 1, 1e8)`, undefined],
    [
      "recursion through tostring",
      `local t = setmetatable({}, {})\ngetmetatable(t).__tostring = tostring\nreturn tostring(t)`,
      undefined,
    ],
    ["a format as wide as it can be", `return string.format("%99999d", 1)`, undefined],
    ["patterns nested too deep", `return string.find("a", ("("):rep(100))`, undefined],
    ["a text of parentheses", `return load(("("):rep(100000))()`, undefined],
    [
      "many constants",
      `local t = {}\nfor i = 1, 300000 do t[i] = i .. ".5" end\nreturn load("return {" .. table.concat(t, ",") .. "}")()`,
      undefined,
    ],
  ])("%s", (_, code, line) => {
    const machine = start({ onLine: () => undefined });
    machine.load(`function probe() ${code}\nend`, "probe.lua");
    const outcome = machine.call("probe", []);
    if (outcome.kind === "failed" && line !== undefined) expect(outcome.line).toBe(line);
    if (line !== undefined) expect(outcome.kind).toBe("failed");
    expect(machine.memoryBytes()).toBeLessThanOrEqual(24 * 1_048_576);
    machine.load(`function probe() return "alive" end`, "probe.lua");
    expect(machine.call("probe", [])).toEqual({ kind: "done", value: "alive" });
  });
});

describe("what is there", () => {
  it.each([
    [`return ("%s-%d"):format("a", 3)`, "a-3"],
    [`return utf8.len("é😀")`, 2],
    [`return math.type(3)`, "integer"],
    [`return select("#", unpack({ 1, 2, 3 }))`, 3],
    [`return table.concat({ 1, 2 }, "+")`, "1+2"],
    [`return type(os.time()) .. type(os.clock())`, "numbernumber"],
    [`return os.date("!%Y-%m-%dT%H:%M:%S %a %j", 86400)`, "1970-01-02T00:00:00 Fri 002"],
    [`return os.date("!*t", 0).year`, 1970],
    [
      `return os.time({ year = 2024, month = 2, day = 30 }) == os.time({ year = 2024, month = 3, day = 1 })`,
      true,
    ],
    [
      `return select(2, pcall(os.date, "%Q"))`,
      "bad argument #1 to 'date' (invalid conversion specifier '%Q')",
    ],
    [
      `local t = {}; for w in ("a b c"):gmatch("%a") do t[#t + 1] = w end return t`,
      ["a", "b", "c"],
    ],
    [`return (("hello"):gsub("l+", { ll = "LL" }))`, "heLLo"],
    [`return ("a.b"):find(".", 1, true)`, 2],
    [`local ok, e = pcall(error, { code = 5 }); return e.code`, 5],
    [`goto done; do return 1 end ::done:: return 2`, 2],
  ])("%s", (code, expected) => {
    expect(evaluate(code)).toEqual(expected);
  });
});

describe("a text after the model", () => {
  it.each([
    ["function format(text) return '<b>' .. text:upper() end", true],
    ["function format(text) return text .. ' (a footer)' end", false],
    ["function format(text) return text end", false],
    ["function post_hook(ctx) ctx.message = 'x' return ctx end", undefined],
    ["function post_hook(ctx) ctx.formatted = true return ctx end", true],
    [
      "function post_hook(ctx) ctx.formatted = true return ctx end function format(text) return text end",
      true,
    ],
  ])("counts as formatted, or not: %s", (source, isFormatted) => {
    const machine = start();
    machine.load(source, "after.lua");
    const outcome = machine.run("after", {
      message: "hi *you*",
      response_format: "telegram",
      metadata: {},
    });
    const { formatted } = (outcome.kind === "done" ? outcome.value : {}) as { formatted?: boolean };
    expect(formatted).toBe(isFormatted);
  });
});
