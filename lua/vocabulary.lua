-- vocabulary: writes out the words of your company, so that the model knows what is meant. Whole words only; a capital at
-- the beginning and ALL CAPITALS are kept; code, addresses and e-mail addresses stay as they are.
--
-- Change: the table. On the left what people write, in small letters; on the right what the model reads.
--
--   orchestrator:
--     content_preparers: [{plugin: "lua:vocabulary"}]

local terms = {
  k8s = "Kubernetes",
  pg = "PostgreSQL",
  pto = "paid time off",
  wfh = "work from home",
  crm = "customer database",
  standup = "daily team meeting",
  ["ticketsystem"] = "Jira",
}

-- "Wfh" becomes "Work from home", "WFH" becomes "WORK FROM HOME". Names that have capitals of their own keep them.
local function keep_case(typed, term)
  if term:find("%u") or not typed:find("^%u") then return term end
  if #typed > 1 and not typed:find("%l") then return term:upper() end
  return term:sub(1, 1):upper() .. term:sub(2)
end

local function replace_word(word)
  local term = terms[word:lower()]
  return term and keep_case(word, term) or word
end

-- Bytes from 128 on are letters with accents and other scripts: "crmé" is another word than "crm".
local function replace_words(text)
  return (text:gsub("%S+", function(part)
    if part:find("://", 1, true) or part:find("@", 1, true) or part:find("^www%.") then return part end
    return (part:gsub("[%w_\128-\255]+", replace_word))
  end))
end

-- Calls `change` on all that is not code: `…`, ```…```, and what follows a ``` that is never closed.
local function outside_code(text, change)
  local starts, lengths, closing, latest = {}, {}, {}, {}
  for start, run in text:gmatch("()(`+)") do
    starts[#starts + 1], lengths[#lengths + 1] = start, #run
  end
  for index = #starts, 1, -1 do
    closing[index], latest[lengths[index]] = latest[lengths[index]], index
  end
  local parts, position, index = {}, 1, 1
  while index <= #starts do
    local close = closing[index]
    local last = close and starts[close] + lengths[close] - 1 or lengths[index] >= 3 and #text
    if last then
      parts[#parts + 1] = change(text:sub(position, starts[index] - 1))
      parts[#parts + 1] = text:sub(starts[index], last)
      position = last + 1
    end
    index = close and close + 1 or last and #starts + 1 or index + 1
  end
  parts[#parts + 1] = change(text:sub(position))
  return table.concat(parts)
end

function prepare(text)
  return outside_code(text, replace_words)
end
