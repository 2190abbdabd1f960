-- context-enrichment: tells the model what everybody in the company knows: facts about the team a person is in. The
-- team comes from the metadata of the message (`team`), from what the person said earlier ("my team is payments"),
-- or from the channel.
--
-- Change: the facts, and which channel belongs to which team.
--
--   orchestrator:
--     content_preparers: [{plugin: "lua:context-enrichment"}]

local facts = {
  payments = {
    "Repository: git.example.com/payments, main language Go.",
    "On call: +payments-oncall in Slack; releases on Tuesdays.",
  },
  website = {
    "Repository: git.example.com/website, TypeScript.",
    "Texts are changed by marketing@example.com.",
  },
}
local teams_of_channels = { ["slack-payments"] = "payments", ["slack-web"] = "website" }

local function find_team(ctx)
  local candidates = { ctx.metadata.team or "", ctx.kv_get("team:" .. ctx.actor) or "" }
  for _, team in ipairs(candidates) do
    if facts[team] then return team end
  end
  return teams_of_channels[ctx.channel]
end

local function list_teams()
  local names = {}
  for name in pairs(facts) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

function pre_hook(ctx)
  local said = ctx.message:sub(1, 200):lower():match("^%s*my team is ([%w_-]+)[%s.!]*$")
  if said and not facts[said] then
    return { send_to_llm = false, message = "I know these teams: " .. list_teams() .. "." }
  elseif said then
    ctx.kv_set("team:" .. ctx.actor, said)
    return { send_to_llm = false, message = "Noted: your team is " .. said .. "." }
  end
  local team = find_team(ctx)
  if team == nil then return ctx end
  local list = "- " .. table.concat(facts[team], "\n- ")
  ctx.message = "Facts about my team (" .. team .. "):\n" .. list .. "\n\n" .. ctx.message
  ctx.metadata.team = team
  return ctx
end
