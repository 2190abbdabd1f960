-- jira-ticket: "ticket: the shop is slow" becomes a ticket. Before the model it asks for an answer in fixed lines; after
-- it, it turns these lines into a call of a tool, or into JSON when `tool` is nil. Other messages are left alone, and an answer
-- without a summary stays as it is.
--
-- Change: `tool`, `project`, and which types and priorities there are. Since it starts a tool, it needs your trust:
--
--   lua: {scripts_dir: lua, scripts: {jira-ticket: {insecure: false}}}
--   orchestrator:
--     content_preparers: [{plugin: "lua:jira-ticket"}]
--     response_formatters: [{plugin: "lua:jira-ticket"}]

local tool = { plugin = "jira", action = "create_issue" }
local project = "SHOP"
local types = { bug = "Bug", task = "Task", story = "Story" }
local priorities = { low = "Low", medium = "Medium", high = "High" }
local longest_summary = 200
local longest_description = 8000

local marker = "ticket-draft"
local instruction = "Write a ticket about this. Answer with these lines and nothing else:\n"
  .. marker .. "\nSummary: (one line)\nType: bug, task or story\nPriority: low, medium or high\n"
  .. "Description: (as many lines as needed)\n\n"

local function cut(text, longest)
  if #text <= longest then return text end
  while longest > 0 and (text:byte(longest + 1) or 0) // 64 == 2 do longest = longest - 1 end
  return text:sub(1, longest)
end

local function trim(text)
  local first = text:find("%S")
  if first == nil then return "" end
  local last = #text
  while text:find("^%s", last) do last = last - 1 end
  return text:sub(first, last)
end

-- The fields of the answer, nil when it is no draft.
local function read_draft(text)
  if not text:sub(1, 200):find(marker, 1, true) then return nil end
  local fields, in_description = {}, false
  local description = {}
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    local name, value = line:match("^[%s*]*(%a+)[*]*:[*]*(.*)$")
    name = name and name:lower()
    if in_description then
      description[#description + 1] = line
    elseif name == "description" then
      in_description = true
      description[1] = value
    elseif name == "summary" or name == "type" or name == "priority" then
      fields[name] = trim(value)
    end
  end
  if (fields.summary or "") == "" then return nil end
  return {
    project = project,
    summary = cut(fields.summary, longest_summary),
    issue_type = types[(fields.type or ""):lower()] or types.task,
    priority = priorities[(fields.priority or ""):lower()] or priorities.medium,
    description = cut(trim(table.concat(description, "\n")), longest_description),
  }
end

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }
local function to_json(entries)
  local names, members = {}, {}
  for name in pairs(entries) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = entries[name]:gsub('[%c"\\]', function(character)
      return escapes[character] or string.format("\\u%04x", character:byte())
    end)
    members[#members + 1] = '"' .. name .. '":"' .. value .. '"'
  end
  return "{" .. table.concat(members, ",") .. "}"
end

function pre_hook(ctx)
  local wish = ctx.message:match("^%s*[Tt]icket:%s*(.*)$")
  if wish and wish ~= "" then
    ctx.message = instruction .. wish
    ctx.metadata.ticket = "wanted"
  end
  return ctx
end

function post_hook(ctx)
  -- Nothing a model has read can start a ticket that the person did not ask for.
  if ctx.metadata.ticket ~= "wanted" then return ctx end
  local draft = read_draft(ctx.message)
  if draft == nil then return ctx end
  if tool == nil then
    ctx.message = to_json(draft)
    return ctx
  end
  return { invoke = { plugin = tool.plugin, action = tool.action, args = draft } }
end
