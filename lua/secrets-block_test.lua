-- Tokens are put together here, so that no scanner takes this file for a leak.
local function letters(count) return (("a1B2c3D4e5"):rep(10)):sub(1, count) end

local function assert_refused(secret, kind)
  local verdict = prepare("please use " .. secret .. " thanks")
  assert(type(verdict) == "table" and verdict.send_to_llm == false, "not refused: " .. kind)
  assert(verdict.message:find(kind, 1, true), "expected " .. kind .. ", got " .. verdict.message)
  assert(not verdict.message:find(secret, 1, true), "the secret is repeated")
  assert(not verdict.message:find(secret:sub(-8), 1, true), "a part of the secret is repeated")
end

function test_tokens_of_well_known_services()
  assert_refused("ghp_" .. letters(36), "a GitHub token")
  assert_refused("github_pat_" .. letters(60), "a GitHub token")
  assert_refused("glpat-" .. letters(20), "a GitLab token")
  assert_refused("xoxb-" .. letters(24), "a Slack token")
  assert_refused("sk-ant-" .. letters(40), "an Anthropic API key")
  assert_refused("sk-proj-" .. letters(40), "an API key")
  assert_refused("sk-" .. letters(48), "an API key")
  assert_refused("AIza" .. letters(35), "a Google API key")
  assert_refused("sk_live_" .. letters(24), "a Stripe key")
  assert_refused("npm_" .. letters(36), "an npm token")
  assert_refused("hf_" .. letters(34), "a Hugging Face token")
  assert_refused("SG." .. letters(22) .. "." .. letters(43), "a SendGrid key")
  assert_refused("123456789:" .. letters(35), "a Telegram bot token")
end

function test_a_token_in_other_text()
  assert_refused("key=ghp_" .. letters(36), "a GitHub token")
  assert_refused("https://api.example.com/?k=AIza" .. letters(35), "a Google API key")
end

function test_invisible_characters_hide_nothing()
  assert_refused("gh\u{200B}p_" .. letters(36), "a GitHub token")
  assert_refused("ghp_" .. letters(10) .. "\u{FEFF}" .. letters(26), "a GitHub token")
end

function test_a_text_without_secrets_stays_the_same()
  local text = "A normal sentence\u{200B} with a soft\u{00AD}hyphen."
  assert_equal(prepare(text), text)
end
