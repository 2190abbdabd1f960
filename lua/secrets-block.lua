-- secrets-block: refuses a message that holds a key, a token or a private key, so that no model service ever gets it. The
-- answer says what kind it is and never repeats it; a refused message is not kept in the conversation.
--
-- Change: add your own kinds to `tokens`: what it begins with, how many characters follow at least, and which these may be. Set
-- `assignments` to false when people talk about passwords a lot.
--
--   orchestrator:
--     content_preparers: [{plugin: "lua:secrets-block"}]

local tokens = {
  { kind = "an AWS access key", begins = { "AKIA", "ASIA" }, least = 16, made_of = "[%u%d]" },
  { kind = "a GitHub token", begins = { "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_" }, least = 22, made_of = "[%w_]" },
  { kind = "a GitLab token", begins = { "glpat-", "gldt-", "glrt-" }, least = 20, made_of = "[%w_-]" },
  { kind = "a Slack token", begins = { "xoxb-", "xoxa-", "xoxp-", "xoxr-", "xoxs-", "xoxe-", "xapp-" }, least = 10, made_of = "[%w-]" },
  { kind = "an Anthropic API key", begins = { "sk-ant-" }, least = 20, made_of = "[%w_-]" },
  { kind = "an API key", begins = { "sk-proj-", "sk-or-", "sk-svcacct-", "sk-" }, least = 20, made_of = "[%w_-]", has_digit = true },
  { kind = "a Google API key", begins = { "AIza" }, least = 35, made_of = "[%w_-]" },
  { kind = "a Google OAuth token", begins = { "ya29.", "GOCSPX-" }, least = 20, made_of = "[%w_-]" },
  { kind = "a Stripe key", begins = { "sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_" }, least = 16, made_of = "[%w]" },
  { kind = "an npm token", begins = { "npm_" }, least = 36, made_of = "[%w]" },
  { kind = "a PyPI token", begins = { "pypi-AgE" }, least = 50, made_of = "[%w_-]" },
  { kind = "a Hugging Face token", begins = { "hf_" }, least = 30, made_of = "[%w]" },
  { kind = "a DigitalOcean token", begins = { "dop_v1_", "doo_v1_", "dor_v1_" }, least = 40, made_of = "[%x]" },
  { kind = "a SendGrid key", begins = { "SG." }, least = 40, made_of = "[%w._-]" },
  { kind = "a Groq API key", begins = { "gsk_" }, least = 20, made_of = "[%w]" },
  { kind = "an xAI API key", begins = { "xai-" }, least = 40, made_of = "[%w]" },
  { kind = "a Shopify token", begins = { "shpat_", "shpss_", "shpca_" }, least = 32, made_of = "[%x]" },
  { kind = "an age key", begins = { "AGE-SECRET-KEY-1" }, least = 50, made_of = "[%u%d]" },
}
local assignments = true

-- Names that a value of at least `least_value` characters, with letters and digits, makes a secret: password = …
local secret_names = { "password", "passwd", "pwd", "secret", "token", "apikey", "accesskey", "secretkey", "clientsecret", "accountkey" }
local least_value = 12
local longest_token = 400

-- What looks like nothing must not split a token.
local invisible = { "\u{200B}", "\u{200C}", "\u{200D}", "\u{2060}", "\u{FEFF}", "\u{00AD}" }

local function has_enough(text, token, begins)
  local position = #begins + 1
  local last = math.min(#text, position + token.least - 1)
  if last - position + 1 < token.least then return false end
  for index = position, last do
    if not text:find("^" .. token.made_of, index) then return false end
  end
  -- A placeholder such as sk-xxxxxxxxxxxxxxxxxxxx repeats one character.
  local rest = text:sub(position, last)
  if rest == rest:sub(1, 1):rep(#rest) then return false end
  -- sk-learn-and-some-more-words is a name.
  return not token.has_digit or text:find("^[%w_-]*%d", position) ~= nil
end

-- Tokens by their first two characters, so that most words cost one look.
local by_start = {}
for _, token in ipairs(tokens) do
  for _, begins in ipairs(token.begins) do
    local start = begins:sub(1, 2)
    by_start[start] = by_start[start] or {}
    table.insert(by_start[start], { token = token, begins = begins })
  end
end

local function find_token(text)
  for start in text:gmatch("()%f[%w][%w_.-]+") do
    local candidates = by_start[text:sub(start, start + 1)]
    if candidates then
      local word = text:sub(start, start + longest_token)
      for _, candidate in ipairs(candidates) do
        if word:sub(1, #candidate.begins) == candidate.begins and has_enough(word, candidate.token, candidate.begins) then
          return candidate.token.kind
        end
      end
    end
  end
  return nil
end

-- eyJ….eyJ….…: three parts in base64, the first two of which begin as JSON does.
local function find_signed_token(text)
  for start in text:gmatch("()%f[%w_-]eyJ[%w_-]") do
    local word = text:sub(start, start + 4000):match("^[%w_.-]+")
    local second = word:find(".eyJ", 1, true)
    if second and word:find(".", second + 1, true) then return "a signed token (JWT)" end
  end
  return nil
end

local function find_private_key(text)
  for start in text:gmatch("()%-%-%-%-%-BEGIN ") do
    local line = text:sub(start, start + 80):match("^[^\n]*")
    if line:find("PRIVATE KEY", 1, true) then return "a private key" end
  end
  if text:find("PuTTY-User-Key-File-", 1, true) then return "a private key" end
  return nil
end

-- https://user:password@host
local function find_address(text)
  for start in text:gmatch("()://") do
    local user = text:sub(start + 3, start + 300):match("^[^%s/?#@]*@") or ""
    local password = user:match("^[^:]*:(.+)@$")
    if password and not password:find("^[*xX.$<{]") then return "an address with a password in it" end
  end
  return nil
end

-- A bot token of Telegram: number, colon, 35 characters.
local function find_bot_token(text)
  for start in text:gmatch("()%f[%d]%d%d%d%d%d%d%d%d+:") do
    local word = text:sub(start, start + 80):match("^%d+:([%w_-]+)") or ""
    if #word == 35 then return "a Telegram bot token" end
  end
  return nil
end

local function find_assignment(text)
  if not assignments then return nil end
  local names = {}
  for _, name in ipairs(secret_names) do names[name] = true end
  for start in text:gmatch("()[=:]") do
    local before = text:sub(math.max(1, start - 40), start - 1):lower():gsub("[%s\"'_-]", "")
    local is_secret = false
    for length = 3, 12 do is_secret = is_secret or names[before:sub(-length)] or false end
    if is_secret then
      local value = text:sub(start + 1, start + 200):match("^[%s\"'`=]*([%w+/_.!@#%%^&*~-]+)") or ""
      if #value >= least_value and value:find("%d") and value:find("%a") then
        return "a password or secret"
      end
    end
  end
  return nil
end

local checks = { find_private_key, find_token, find_signed_token, find_bot_token, find_address, find_assignment }

function prepare(text)
  local plain = text
  for _, character in ipairs(invisible) do plain = plain:gsub(character, "") end
  for _, check in ipairs(checks) do
    local kind = check(plain)
    if kind then
      return {
        send_to_llm = false,
        message = "I did not pass your message on, because it holds what looks like " .. kind
          .. ". Send it again without that. If it is real, replace it: it has been in a chat.",
      }
    end
  end
  return text
end
