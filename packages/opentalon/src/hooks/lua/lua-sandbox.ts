/**
 * What runs in a VM before the script does: takes away everything a hook has no need of, and leaves functions to load the
 * script and to call it. Written in Lua, because only Lua can do so without a way around.
 *
 * Every call runs the script's file afresh in an environment of its own, libraries included, so that nothing one
 * message leaves behind is seen by the next. What stays out of reach of the script is held in locals.
 */
export const sandbox = `
local host, mark, environment, max_text, seed = ...
local base, libraries = {}, {}
local load, pcall, xpcall, error, select, next, rawget = load, pcall, xpcall, error, select, next, rawget
local type, tostring, setmetatable, getinfo = type, tostring, setmetatable, debug.getinfo
local concat, unpack, table_move, rep = table.concat, table.unpack, table.move, string.rep
local raw_find, randomseed = string.find, math.randomseed
local current, chunk, chunk_name, entered

for _, name in ipairs({ "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal",
  "rawget", "rawlen", "rawset", "select", "tonumber", "tostring", "type", "xpcall", "_VERSION" }) do
  base[name] = _G[name]
end
base.unpack = unpack

function base.setmetatable(value, metatable)
  if type(metatable) == "table" and rawget(metatable, "__gc") ~= nil then
    error("__gc is not available in hooks", 2)
  end
  return setmetatable(value, metatable)
end

function base.load(source, name, _, ...)
  local target = current
  if select("#", ...) > 0 then target = ... end
  mark()
  return load(source, name, "t", target)
end
function base.loadstring(source, name) return base.load(source, name) end

-- The functions that can run long inside one instruction note where they were called.
local quantified, quantified_count = {}, 0
local function is_quantified(pattern)
  -- A pattern made from a message is not worth keeping, nor may it pile up.
  if #pattern > 100 then return true end
  local known = quantified[pattern]
  if known == nil then
    known = raw_find(pattern, "[%*%+%-]") ~= nil
    if quantified_count >= 1000 then quantified, quantified_count = {}, 0 end
    quantified[pattern], quantified_count = known, quantified_count + 1
  end
  return known
end
local function noting(run)
  return function(text, pattern, ...)
    if type(text) == "string" and #text > 200 and type(pattern) == "string" and is_quantified(pattern) then
      mark()
    end
    return run(text, pattern, ...)
  end
end
for _, name in ipairs({ "find", "match", "gmatch", "gsub" }) do string[name] = noting(string[name]) end
function string.rep(text, count, separator)
  local size = type(text) == "string" and #text + (type(separator) == "string" and #separator or 0) or 0
  if type(count) == "number" and size * count > max_text then
    mark()
    error("not enough memory: string.rep would make " .. (size * count) .. " bytes", 2)
  end
  return rep(text, count, separator)
end
function table.move(...)
  mark()
  return table_move(...)
end
string.dump = nil

local function words(...)
  local list = {}
  for index = 1, select("#", ...) do list[index] = tostring((select(index, ...))) end
  return concat(list, "\\t")
end
local function ask(...)
  local is_done, value = host(...)
  if not is_done then error(value, 3) end
  return value
end
local os = {
  clock = function() local value = ask("clock") return value end,
  time = function(parts)
    if parts ~= nil and type(parts) ~= "table" then error("os.time takes a table", 2) end
    local value = ask("time", parts)
    return value
  end,
  date = function(format, time)
    local value = ask("date", format and tostring(format), time)
    return value
  end,
  getenv = function(name) return environment[name] end,
}
function base.print(...) host("log", "info", words(...)) end

for name, library in next, { string = string, table = table, math = math, utf8 = utf8, os = os } do
  libraries[name] = { __index = library, __metatable = false }
end
-- Methods of texts find the same functions, and nobody finds the table they are in.
getmetatable("").__metatable = false
local globals = { __index = base, __metatable = false }

local function create_environment()
  local created = setmetatable({}, globals)
  for name, library in next, libraries do created[name] = setmetatable({}, library) end
  created._G = created
  return created
end

-- A function with the script's environment as its only variable.
local upvalue = debug.setupvalue
local calls = 0
local function start()
  -- What a message made of the random numbers is not seen by the next one either.
  calls = calls + 1
  randomseed(seed, calls)
  current = create_environment()
  upvalue(chunk, 1, current)
  chunk()
  return current
end

local function find_line()
  for level = 2, 200 do
    local info = getinfo(level, "Sl")
    if info == nil then break end
    if info.source == chunk_name and info.currentline > 0 then return info.currentline end
  end
  return 0
end
-- Where the function begins that was called: the last resort for what left no trace on the stack.
local function find_start()
  return entered ~= nil and getinfo(entered, "S").linedefined or 0
end
local function explain(problem)
  local kind = type(problem)
  if kind ~= "string" and kind ~= "number" then
    problem = "an error object, which is a " .. kind .. ", was raised"
  end
  return { message = tostring(problem), line = find_line() }
end
-- true and the result, or false and what went wrong.
local function protect(run, ...)
  entered = nil
  local is_done, result = xpcall(run, explain, ...)
  if not is_done then
    if type(result) ~= "table" then result = { message = tostring(result), line = 0 } end
    result.start = find_start()
  end
  return is_done, result
end

local function add_functions(context)
  context.log = function(level, ...) host("log", tostring(level), words(...)) end
  context.kv_get = function(key) local value = ask("kv_get", tostring(key)) return value end
  context.kv_set = function(key, value)
    if value ~= nil then value = tostring(value) end
    ask("kv_set", tostring(key), value)
  end
  context.llm = function(prompt, alias)
    if alias ~= nil then alias = tostring(alias) end
    local value = ask("llm", tostring(prompt), alias)
    return value
  end
  return context
end

local function to_table(value, name, context)
  if value == nil then return context end
  if type(value) ~= "table" then error(name .. " must return a table, not a " .. type(value), 0) end
  return value
end

local function enter(name, ...)
  entered = current[name]
  return entered(...)
end

local stages = {}

function stages.before(context)
  local functions = start()
  local is_there = false
  if type(functions.filter) == "function" then
    is_there = true
    local verdict = to_table(enter("filter", context), "filter", {})
    if verdict.drop then return { drop = true, reason = verdict.reason } end
  end
  if type(functions.prepare) == "function" then
    local result = enter("prepare", context.message)
    if type(result) == "number" then result = tostring(result) end
    if type(result) == "string" then return { message = result } end
    return to_table(result, "prepare", {})
  end
  if type(functions.pre_hook) == "function" then
    return to_table(enter("pre_hook", context), "pre_hook", context)
  end
  if not is_there then error("the script defines none of prepare, pre_hook and filter", 0) end
  return {}
end

function stages.after(context)
  local functions = start()
  local result = context
  local is_there = false
  if type(functions.post_hook) == "function" then
    is_there = true
    result = to_table(enter("post_hook", context), "post_hook", context)
    if result.invoke ~= nil then return result end
  end
  if type(functions.format) == "function" then
    local text = enter("format", result.message, context.response_format)
    if type(text) ~= "string" then error("format must return a string, not a " .. type(text), 0) end
    -- What holds the answer word for word is still written as the model wrote it.
    local is_kept = raw_find(text, tostring(result.message), 1, true) ~= nil
    return { message = text, metadata = result.metadata, formatted = result.formatted or not is_kept }
  end
  if not is_there then error("the script defines none of format and post_hook", 0) end
  return result
end

local runtime = {}

function runtime.load(source, name)
  chunk_name = "=" .. name
  local loaded, problem = load(source, chunk_name, "t", base)
  if loaded == nil then return false, { message = problem, line = 0 } end
  chunk = loaded
  return protect(function()
    local names = {}
    for key, value in next, start() do
      if type(key) == "string" and type(value) == "function" then names[#names + 1] = key end
    end
    return names
  end)
end

function runtime.run(stage, context)
  return protect(stages[stage], add_functions(context))
end

function runtime.call(name, ...)
  return protect(function(...)
    local functions = start()
    if type(functions[name]) ~= "function" then error("the script defines no function " .. name, 0) end
    for index = 1, select("#", ...) do
      local value = select(index, ...)
      if type(value) == "table" and value.message ~= nil then add_functions(value) end
    end
    return enter(name, ...)
  end, ...)
end

local session
function runtime.evaluate(source, context)
  if context ~= nil or session == nil then
    session = chunk ~= nil and start() or create_environment()
    session.ctx = add_functions(context or {})
  end
  current = session
  local loaded, problem = load("return " .. source, "=input", "t", session)
  if loaded == nil then loaded, problem = load(source, "=input", "t", session) end
  if loaded == nil then return false, { message = problem, line = 0 } end
  return protect(function()
    local results = table.pack(loaded())
    for index = 1, results.n do
      local value = results[index]
      results[index] = type(value) == "string" and value or tostring(value)
    end
    results.n = nil
    return results
  end)
end

return runtime
`;
