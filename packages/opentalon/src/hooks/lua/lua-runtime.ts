/**
 * What runs in a VM before the script does: takes away everything a hook has no need of, and leaves functions to load the
 * script and to call it. Written in Lua, because only Lua can do so without a way around.
 *
 * A script's functions share one environment. What a call assigns to globals goes to a table of that call alone, so that
 * nothing one message leaves behind is seen by the next.
 */
export const runtime = `
local host, allowed = ...
local base = _G
local raw_load, raw_pairs, raw_type, raw_tostring = load, pairs, type, tostring
local setupvalue, setmetatable, error, select = debug.setupvalue, setmetatable, error, select
local concat, unpack = table.concat, table.unpack
local time, date, clock = os.time, os.date, os.clock

for _, name in ipairs({ "collectgarbage", "coroutine", "debug", "dofile", "io", "loadfile",
  "package", "print", "require", "warn" }) do
  base[name] = nil
end
string.dump = nil
getmetatable("").__metatable = false
base.os = { time = time, date = date, clock = clock, getenv = function(name) return allowed[name] end }
base.unpack = unpack

local current = base
base.load = function(chunk, name, _, environment)
  return raw_load(chunk, name, "t", environment or current)
end
base.loadstring = function(chunk, name) return base.load(chunk, name) end

local function words(...)
  local list = {}
  for index = 1, select("#", ...) do list[index] = raw_tostring((select(index, ...))) end
  return concat(list, "\\t")
end
base.print = function(...) host("log", "info", words(...)) end

local chunk, globals
local function enter(environment)
  current = environment
  environment._G = environment
  setupvalue(chunk, 1, environment)
end

local runtime = {}

function runtime.load(source, name)
  local loaded, problem = raw_load(source, name, "t", base)
  if loaded == nil then error(problem, 0) end
  chunk, globals = loaded, setmetatable({}, { __index = base })
  enter(globals)
  chunk()
  local functions = {}
  for key, value in raw_pairs(globals) do
    if raw_type(key) == "string" and raw_type(value) == "function" then functions[#functions + 1] = key end
  end
  return functions
end

function runtime.has(name) return raw_type(globals[name]) == "function" end

function runtime.call(name, ...)
  enter(setmetatable({}, { __index = globals }))
  return globals[name](...)
end

function runtime.hook(name, context)
  context.log = function(level, ...) host("log", raw_tostring(level), words(...)) end
  context.kv_get = function(key) return host("kv_get", raw_tostring(key)) end
  context.kv_set = function(key, value)
    host("kv_set", raw_tostring(key), value ~= nil and raw_tostring(value) or nil)
  end
  context.llm = function(prompt, alias)
    return host("llm", raw_tostring(prompt), alias ~= nil and raw_tostring(alias) or nil)
  end
  local result = runtime.call(name, context)
  if result == nil then result = context end
  return result
end

return runtime
`;
