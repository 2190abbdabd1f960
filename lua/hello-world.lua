-- hello-world: the smallest rule. It answers "ping" itself, so no model is asked, completes a greeting, and leaves every
-- other message as it is.
--
-- Change: the words below.
--
--   orchestrator:
--     content_preparers: [{plugin: "lua:hello-world"}]

local greetings = { hello = true, hi = true, hey = true, hallo = true, hola = true, salut = true }
local question = "Greet me back in one sentence, and ask what I need."

function prepare(text)
  local word = text:sub(1, 40):lower():match("^%s*(%a+)[%s%p]*$")
  if word == "ping" then return { send_to_llm = false, message = "pong" } end
  if greetings[word] then return text .. "\n" .. question end
  return text
end
