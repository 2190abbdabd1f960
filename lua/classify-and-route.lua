-- classify-and-route: puts each message into a category by the words in it. The category goes into the metadata of the
-- message (`category`, and what else a rule sets), where later scripts and plugins find it. A rule may refuse.
--
-- Change: the rules. The one with the most hits wins; of two with equally many, the first. `words` are whole words in small
-- letters, `phrases` may hold spaces.
--
--   orchestrator:
--     content_preparers: [{plugin: "lua:classify-and-route"}]

local rules = {
  {
    category = "payroll",
    words = { "salary", "payslip", "payroll" },
    phrases = { "how much does", "whose salary" },
    least = 2,
    refuse = "Questions about somebody's pay go to people@example.com.",
  },
  {
    category = "incident",
    words = { "down", "outage", "crash", "crashed", "broken", "alert", "incident" },
    phrases = { "not working", "does not work" },
    metadata = { priority = "high", team = "operations" },
  },
  {
    category = "billing",
    words = { "invoice", "refund", "payment", "charged", "subscription" },
    metadata = { team = "finance" },
  },
  {
    category = "access",
    words = { "password", "login", "permission", "access", "account", "locked" },
    metadata = { team = "it" },
  },
}
local otherwise = "general"

-- What comes later in a very long message does not count.
local longest = 20000

local function count_hits(rule, words, text)
  local hits = 0
  for _, word in ipairs(rule.words or {}) do
    if words[word] then hits = hits + 1 end
  end
  for _, phrase in ipairs(rule.phrases or {}) do
    if text:find(phrase, 1, true) then hits = hits + 1 end
  end
  return hits >= (rule.least or 1) and hits or 0
end

local function find_rule(message)
  local text = message:sub(1, longest):lower()
  local words = {}
  for word in text:gmatch("[%w_\128-\255]+") do words[word] = true end
  local best, most
  for _, rule in ipairs(rules) do
    local hits = count_hits(rule, words, text)
    if hits > (most or 0) then best, most = rule, hits end
  end
  return best
end

function pre_hook(ctx)
  local rule = find_rule(ctx.message)
  if rule and rule.refuse then return { send_to_llm = false, message = rule.refuse } end
  ctx.metadata.category = rule and rule.category or otherwise
  for key, value in pairs(rule and rule.metadata or {}) do ctx.metadata[key] = value end
  return ctx
end
