/**
 * The script behind the console: it asks for the next line, runs it, tells what came of it, and asks again. Since it is a script
 * like any other, what a person types has no more rights than a hook. Everything it wants of the program goes through one
 * call, as a JSON list of texts.
 */
export const consoleDriver = `
local load, pcall, type, tostring, pairs, select, setmetatable =
  load, pcall, type, tostring, pairs, select, setmetatable
local concat, sort, format, clock = table.concat, table.sort, string.format, os.clock
local globals = _G

local function quote(text)
  return '"' .. text:gsub('[%c"\\\\\\127]', function(each) return format("\\\\u%04x", each:byte()) end) .. '"'
end

-- A value as a person reads it, bounded in depth and length.
local function show(value, depth)
  if type(value) == "string" then return depth == 0 and value or (format("%q", value):gsub("\\\\\\n", "\\\\n")) end
  if type(value) ~= "table" or depth > 3 then return tostring(value) end
  local parts, keys, count = {}, {}, 0
  for index = 1, #value do
    if index > 50 then break end
    parts[index], count = show(value[index], depth + 1), index
  end
  for key in pairs(value) do
    if not (type(key) == "number" and key >= 1 and key <= #value and key % 1 == 0) then keys[#keys + 1] = key end
    if #keys > 50 then break end
  end
  sort(keys, function(one, other) return tostring(one) < tostring(other) end)
  for _, key in pairs(keys) do
    if type(value[key]) ~= "function" then
      local name = type(key) == "string" and key:find("^[%a_][%w_]*$") and key or "[" .. show(key, depth + 1) .. "]"
      parts[#parts + 1] = name .. " = " .. show(value[key], depth + 1)
    end
  end
  return "{ " .. concat(parts, ", ") .. " }"
end

function pre_hook(context)
  local llm = context.llm
  local function ask(...)
    local texts = {}
    for index = 1, select("#", ...) do texts[index] = quote((tostring((select(index, ...))))) end
    return llm("[" .. concat(texts, ",") .. "]")
  end
  local function words(...)
    local list = {}
    for index = 1, select("#", ...) do list[index] = tostring((select(index, ...))) end
    return concat(list, "\\t")
  end
  local environment = setmetatable({}, { __index = globals })
  environment._G = environment
  environment.print = function(...) ask("print", words(...)) end
  local ctx = {}
  for key, value in pairs(context) do if key ~= "script" and type(value) ~= "function" then ctx[key] = value end end
  ctx.log = function(level, ...) ask("log", tostring(level), words(...)) end
  ctx.kv_get = function(key) return (ask("kv_get", tostring(key))) end
  ctx.kv_set = function(key, value)
    if value == nil then ask("kv_set", tostring(key)) else ask("kv_set", tostring(key), tostring(value)) end
  end
  ctx.llm = function(prompt, alias) return (ask("llm", tostring(prompt), tostring(alias or ""))) end
  environment.ctx = ctx

  local report, detail = "ready", ""
  if context.script.source ~= nil then
    local chunk, problem = load(context.script.source, "=" .. context.script.name, "t", environment)
    if chunk == nil then
      report, detail = "failed", problem
    else
      local is_done, result = pcall(chunk)
      if not is_done then report, detail = "failed", tostring(result) end
    end
  end
  while true do
    local source = ask("next", report, detail)
    local chunk, problem = load("return " .. source, "=input", "t", environment)
    if chunk == nil then chunk, problem = load(source, "=input", "t", environment) end
    if chunk == nil then
      local is_open = problem:find("<eof>$") and (not problem:find("unfinished string") or problem:find("long string"))
      report, detail = is_open and "incomplete" or "failed", problem
    else
      local started = clock()
      local function run()
        local results = { n = 0 }
        local function keep(...) results = { n = select("#", ...), ... } end
        keep(chunk())
        local seconds = clock() - started
        local texts = {}
        for index = 1, results.n do texts[index] = show(results[index], 0) end
        return seconds .. " " .. concat(texts, "\\t")
      end
      local is_done, result = pcall(run)
      report, detail = is_done and "done" or "failed", tostring(result)
    end
  end
end
`;
