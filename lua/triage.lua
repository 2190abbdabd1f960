-- triage: lets a small model choose one label for each message, and rules when the model does not answer or answers something
-- else. The label goes into the metadata (`label`), and how it was found (`label_by`: model or rule).
--
-- Change: the labels with their words, and `model`: a name or alias from your configuration; empty is lua.default_model.
-- With `ask_only_when_unsure` a rule that is sure saves the call.
--
--   orchestrator:
--     content_preparers: [{plugin: "lua:triage", fail_open: true}]

local labels = {
  { name = "bug", words = { "bug", "error", "crash", "broken", "exception" } },
  { name = "feature", words = { "feature", "wish", "idea", "support", "add" } },
  { name = "question", words = { "how", "what", "why", "where", "when", "who" } },
}
local otherwise = "other"
local model = ""
local ask_only_when_unsure = false
local longest = 2000

local function label_by_rule(text)
  local words, best, most, is_sure = {}, otherwise, 0, false
  for word in text:lower():gmatch("%w+") do words[word] = true end
  for _, label in ipairs(labels) do
    local hits = 0
    for _, word in ipairs(label.words) do
      if words[word] then hits = hits + 1 end
    end
    if hits > most then
      best, is_sure, most = label.name, hits - most >= 2, hits
    end
  end
  return best, is_sure
end

local function list_names()
  local names = {}
  for _, label in ipairs(labels) do names[#names + 1] = label.name end
  names[#names + 1] = otherwise
  return names
end

-- Cut between two characters, never inside one.
local function shorten(text)
  if #text <= longest then return text end
  local last = longest
  while last > 0 and (text:byte(last + 1) or 0) // 64 == 2 do last = last - 1 end
  return text:sub(1, last)
end

-- nil unless the answer is one of the names and nothing else.
local function label_by_model(ctx, text)
  local names = list_names()
  local prompt = "Choose the one label that fits the message between the lines. Answer with the label only.\n"
    .. "Labels: " .. table.concat(names, ", ") .. "\n---\n" .. text .. "\n---"
  local is_answered, answer = pcall(ctx.llm, prompt, model ~= "" and model or nil)
  if not is_answered then
    ctx.log("warn", "triage goes by its rules: " .. tostring(answer))
    return nil
  end
  local word = answer:sub(1, 100):lower():match("^[%s%p]*([%w_-]+)[%s%p]*$")
  for _, name in ipairs(names) do
    if name == word then return name end
  end
  return nil
end

function pre_hook(ctx)
  local text = shorten(ctx.message)
  local label, is_sure = label_by_rule(text)
  local by = "rule"
  if not (ask_only_when_unsure and is_sure) then
    local chosen = label_by_model(ctx, text)
    if chosen then label, by = chosen, "model" end
  end
  ctx.metadata.label, ctx.metadata.label_by = label, by
  return ctx
end
