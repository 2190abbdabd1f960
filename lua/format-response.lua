-- format-response: turns the Markdown of an answer into what a platform shows: slack, teams, whatsapp, telegram (HTML),
-- discord, html or text. Which one, the channel says (`response_format`); without one the answer stays as it is. Code stays
-- what it is: only what would end the code, or be taken for a command of the platform, is escaped in it.
--
-- Change: the writers below, one for each platform. Tables become aligned text where a platform has none.
--
--   orchestrator:
--     response_formatters: [{plugin: "lua:format-response"}]

local widest_cell, most_columns = 40, 20

local function same(text) return text end
local function between(left, right) return { left, right or left } end
local function escape_html(text)
  return (text:gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }))
end
local function escape_slack(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end
-- In code only what Slack would read as a command or a character: <!channel>, <https://…>, &lt;
local function escape_slack_code(text)
  text = text:gsub("&([lga][tm]p?;)", "&amp;%1")
  return (text:gsub("<([%a@#!/])", "&lt;%1"))
end
-- A zero-width space keeps an answer from calling everybody.
local function quiet_discord(text) return (text:gsub("@([eh])", "@\u{200B}%1")) end
local function with_address(label, address)
  if label == "" or label == address then return address end
  return label .. " (" .. address .. ")"
end
local function fence_around(code) return "```\n" .. code .. "\n```" end

local function html_link(label, address)
  local scheme = address:match("^%s*([%w+.-]*):")
  if scheme and not ({ http = true, https = true, mailto = true, tel = true })[scheme:lower()] then return label end
  return '<a href="' .. escape_html(address) .. '">' .. label .. "</a>"
end

-- What a writer does not say is taken from this one: plain text.
local plain = {
  escape = same, bold = between(""), italic = between(""), strike = between(""),
  code = same,
  fence = function(code) return code end,
  link = with_address,
  address = same,
  heading = function(text) return text end,
  bullet = "• ",
  quote = "> ",
  rule = "――――――――",
  aligned = same,
}

local writers = {
  text = {},
  slack = {
    escape = escape_slack, bold = between("*"), italic = between("_"), strike = between("~"),
    code = function(code) return "`" .. escape_slack_code(code) .. "`" end,
    fence = function(code) return fence_around(escape_slack_code(code)) end,
    link = function(label, address)
      -- Without a scheme it could be a command: <!channel>, <@person>
      if not address:find("^%a[%w+.-]*:") then return label .. " (" .. escape_slack(address) .. ")" end
      return "<" .. escape_slack(address):gsub("|", "%%7C") .. "|" .. label:gsub("|", "¦") .. ">"
    end,
    address = function(address) return "<" .. escape_slack(address) .. ">" end,
    heading = function(text) return "*" .. text .. "*" end,
    aligned = fence_around,
  },
  whatsapp = {
    bold = between("*"), italic = between("_"), strike = between("~"),
    code = function(code) return "`" .. code .. "`" end,
    fence = fence_around,
    heading = function(text) return "*" .. text .. "*" end,
    bullet = "- ",
    aligned = fence_around,
  },
  -- HTML, as far as Telegram knows it.
  telegram = {
    escape = escape_html, bold = between("<b>", "</b>"), italic = between("<i>", "</i>"), strike = between("<s>", "</s>"),
    code = function(code) return "<code>" .. escape_html(code) .. "</code>" end,
    fence = function(code, language)
      language = language:match("^[%w+#-]+")
      if language == nil then return "<pre>" .. escape_html(code) .. "</pre>" end
      return '<pre><code class="language-' .. language .. '">' .. escape_html(code) .. "</code></pre>"
    end,
    link = html_link,
    address = escape_html,
    heading = function(text) return "<b>" .. text .. "</b>" end,
    quote = between("<blockquote>", "</blockquote>"),
    aligned = function(text) return "<pre>" .. text .. "</pre>" end,
  },
  teams = {
    escape = function(text) return (text:gsub("<", "&lt;")) end,
    bold = between("**"), italic = between("*"), strike = between("~~"),
    code = function(code) return "`" .. code .. "`" end,
    fence = function(code, language) return "```" .. language .. "\n" .. code .. "\n```" end,
    link = function(label, address) return "[" .. label .. "](" .. address .. ")" end,
    heading = function(text) return "**" .. text .. "**" end,
    bullet = "- ",
    rule = "---",
    aligned = fence_around,
  },
  discord = {
    escape = quiet_discord, bold = between("**"), italic = between("*"), strike = between("~~"),
    code = function(code) return "`" .. code .. "`" end,
    fence = function(code, language) return "```" .. language .. "\n" .. code .. "\n```" end,
    link = function(label, address) return "[" .. label .. "](" .. address .. ")" end,
    heading = function(text, level)
      if level > 3 then return "**" .. text .. "**" end
      return ("#"):rep(level) .. " " .. text
    end,
    bullet = "- ",
    aligned = fence_around,
  },
  html = {
    escape = escape_html,
    bold = between("<strong>", "</strong>"), italic = between("<em>", "</em>"), strike = between("<del>", "</del>"),
    code = function(code) return "<code>" .. escape_html(code) .. "</code>" end,
    fence = function(code, language)
      local class = language:match("^[%w+#-]+")
      class = class and ' class="language-' .. class .. '"' or ""
      return "<pre><code" .. class .. ">" .. escape_html(code) .. "\n</code></pre>"
    end,
    link = html_link,
    address = function(address) return html_link(escape_html(address), address) end,
    heading = function(text, level) return "<h" .. level .. ">" .. text .. "</h" .. level .. ">" end,
    rule = "<hr>",
    quote = between("<blockquote>", "</blockquote>"),
    is_html = true,
  },
}
-- A heading is bold already on most platforms.
local without_bold = {}
for _, writer in pairs(writers) do
  setmetatable(writer, { __index = plain })
  if not writer.is_html then without_bold[writer] = setmetatable({ bold = between("") }, { __index = writer }) end
end

-- Where each run of backticks ends the code that it begins: for each the next run of the same length.
local function find_code(text)
  local ends, lengths, starts, latest = {}, {}, {}, {}
  for start, run in text:gmatch("()(`+)") do starts[#starts + 1], lengths[#lengths + 1] = start, #run end
  for index = #starts, 1, -1 do
    ends[starts[index]], latest[lengths[index]] = latest[lengths[index]], starts[index]
  end
  return ends
end

-- From here on: where `what` stands next, looked for once for each place.
local function finder(text, what)
  local found = 0
  return function(from)
    if found and found < from then found = text:find(what, from, true) end
    return found
  end
end

local function is_word(text, index) return index >= 1 and text:find("^[%w\128-\255]", index) ~= nil end
-- 2*3 is no emphasis.
local function is_product(text, index)
  return is_word(text, index - 1) and is_word(text, index + 1)
    and (text:find("^%d", index - 1) or text:find("^%d", index + 1)) ~= nil
end
local function is_space(text, index) return index < 1 or index > #text or text:find("^%s", index) ~= nil end

local write_inline

-- [label](address) or ![label](address) at `start`: label, address and the last place; nil when it is none.
local function read_link(text, start, next_middle, next_end)
  local middle = next_middle(start)
  if middle == nil or middle - start > 500 then return nil end
  local close = next_end(middle)
  if close == nil or close - middle > 1000 then return nil end
  local inside = text:match("^%b()", middle + 1)
  inside = inside and #inside < 1000 and inside or text:sub(middle + 1, close)
  local address = inside:sub(2, -2):match("^%s*<?([^%s>]*)")
  local label = text:sub(start + 1, middle - 1)
  if address == "" or label:find("\n", 1, true) then return nil end
  return label, address, middle + #inside
end

local signs_of_runs = {
  ["*1"] = { "*" }, ["*2"] = { "**" }, ["*3"] = { "**", "*" }, ["~2"] = { "~~" },
  _1 = { "_" }, _2 = { "__" }, _3 = { "__", "_" },
}
local kinds = { ["**"] = "bold", ["__"] = "bold", ["*"] = "italic", ["_"] = "italic", ["~~"] = "strike" }

-- A paragraph or a line: emphasis, code, links and addresses. One pass; a mark without a partner is text.
function write_inline(text, writer, is_label)
  local parts, open = {}, {}
  local code_ends, next_middle, next_end = find_code(text), finder(text, "]("), finder(text, ")")
  local next_address = finder(text, "http")
  local position = 1
  local function add(part) parts[#parts + 1] = part end
  local function mark(sign, first, last)
    local before, after = first - 1, last + 1
    local can_open, can_close = not is_space(text, after), not is_space(text, before)
    if sign:find("_", 1, true) then
      can_open = can_open and not is_word(text, before)
      can_close = can_close and not is_word(text, after)
    end
    local opener = open[sign]
    if opener and can_close and opener < #parts then
      local kind = kinds[sign]
      parts[opener] = writer[kind][1]
      add(writer[kind][2])
      for other, place in pairs(open) do if place >= opener then open[other] = nil end end
    else
      add(writer.escape(sign))
      if can_open then open[sign] = #parts end
    end
  end
  while position <= #text do
    local special, address_start = text:find("[\\`*_~%[!<]", position), next_address(position)
    if address_start and (special == nil or address_start < special) then special = address_start end
    if special == nil then break end
    if special > position then add(writer.escape(text:sub(position, special - 1))) end
    local character = text:sub(special, special)
    local last = special
    if character == "\\" and text:find("^%p", special + 1) then
      last = special + 1
      add(writer.escape(text:sub(last, last)))
    elseif character == "`" then
      local run = #text:match("^`+", special)
      local close = code_ends[special]
      if close then
        last = close + run - 1
        local code = text:sub(special + run, close - 1)
        if run > 1 and code:find("^ .* $") then code = code:sub(2, -2) end
        add(writer.code(code))
      else
        last = special + run - 1
        add(writer.escape(text:sub(special, last)))
      end
    elseif character == "*" or character == "_" or character == "~" then
      local run = #text:match("^" .. (character == "*" and "%*+" or character .. "+"), special)
      last = special + run - 1
      local signs = signs_of_runs[character .. run]
      if signs == nil or run == 1 and is_product(text, special) then
        add(writer.escape(text:sub(special, last)))
      elseif #signs == 1 then
        mark(signs[1], special, last)
      elseif open[signs[2]] and open[signs[1]] and open[signs[2]] > open[signs[1]] then
        mark(signs[2], special, last)
        mark(signs[1], special, last)
      else
        mark(signs[1], special, last)
        mark(signs[2], special, last)
      end
    elseif not is_label and (character == "[" or character == "!" and text:find("^%[", special + 1)) then
      local bracket = character == "!" and special + 1 or special
      local label, address, stop = read_link(text, bracket, next_middle, next_end)
      if label then
        add(writer.link(write_inline(label == "" and address or label, writer, true), address))
        last = stop
      else
        add(writer.escape(character))
      end
    elseif not is_label and character == "<" and text:find("^<%a[%w+.-]+:[^%s<>]+>", special) then
      local address = text:match("^<([^%s<>]+)>", special)
      add(writer.address(address))
      last = special + #address + 1
    elseif not is_label and character == "h" and not is_word(text, special - 1) and text:find("^https?://[%w]", special) then
      local address = text:match("^[^%s<>\"`|%]]+", special)
      local length = #address
      while length > 8 and address:find("^[.,;:!?*_~')]", length) do length = length - 1 end
      address = address:sub(1, length)
      add(writer.address(address))
      last = special + #address - 1
    else
      add(writer.escape(character))
    end
    position = last + 1
  end
  add(writer.escape(text:sub(position)))
  return table.concat(parts)
end

local function split_row(line)
  local cells = {}
  line = line:match("^%s*|?(.*)$"):gsub("\\|", "\1")
  if line:find("|%s*$") then line = line:gsub("|%s*$", "") end
  for cell in (line .. "|"):gmatch("([^|]*)|") do
    if #cells < most_columns then
      cells[#cells + 1] = cell:gsub("\1", "|"):match("^%s*(.*)$"):gsub("%s+$", "")
    end
  end
  return cells
end

local function is_separator(line)
  return line ~= nil and line:find("|", 1, true) ~= nil and line:find("%-") ~= nil and line:find("^[%s|:-]+$") ~= nil
end

local function write_html_table(rows, writer)
  local out = {}
  for index, row in ipairs(rows) do
    local tag, cells = index == 1 and "th" or "td", {}
    for _, cell in ipairs(row) do
      cells[#cells + 1] = "<" .. tag .. ">" .. write_inline(cell, writer) .. "</" .. tag .. ">"
    end
    out[#out + 1] = "<tr>" .. table.concat(cells) .. "</tr>"
  end
  return "<table>" .. table.concat(out) .. "</table>"
end

local function write_table(rows, writer)
  if writer.is_html then return write_html_table(rows, writer) end
  local texts, widths = {}, {}
  for index, row in ipairs(rows) do
    texts[index] = {}
    for column, cell in ipairs(row) do
      local text = write_inline(cell, writers.text)
      if writer.aligned ~= same then text = text:gsub("`", "'") end
      texts[index][column] = text
      widths[column] = math.min(widest_cell, math.max(widths[column] or 0, utf8.len(text) or #text))
    end
  end
  local lines = {}
  for index, row in ipairs(texts) do
    local cells = {}
    for column, text in ipairs(row) do
      local missing = widths[column] - (utf8.len(text) or #text)
      cells[column] = text .. (" "):rep(column < #row and math.max(0, missing) or 0)
    end
    lines[#lines + 1] = table.concat(cells, " | ")
    if index == 1 then
      local rules = {}
      for column = 1, #row do rules[column] = ("-"):rep(widths[column]) end
      lines[#lines + 1] = table.concat(rules, "-|-")
    end
  end
  local aligned = table.concat(lines, "\n")
  if writer.escape == escape_html then aligned = escape_html(aligned) end
  if writer.escape == escape_slack then aligned = escape_slack_code(aligned) end
  return writer.aligned(aligned)
end

local function write_list_line(line, writer)
  local indent, rest = line:match("^(%s*)[-*+]%s+(.*)$")
  local sign = writer.bullet
  if indent == nil then
    local number
    indent, number, rest = line:match("^(%s*)(%d+[.)])%s+(.*)$")
    if indent == nil or #number > 10 then return nil end
    sign = writer.escape(number) .. " "
  elseif sign == "- " then
    sign = writer.escape("-") .. " "
  end
  local box, after = rest:match("^%[([ xX])%]%s+(.*)$")
  if box then rest = (box == " " and "☐ " or "☑ ") .. after end
  return indent:sub(1, 20) .. sign .. write_inline(rest, writer)
end

-- HTML needs lists and paragraphs as wholes; the other writers go line by line.
local function write_html_list(lines, index, writer)
  local is_ordered = lines[index]:find("^%s*%d") ~= nil
  local items = {}
  while lines[index] do
    local rest = lines[index]:match(is_ordered and "^%s*%d+[.)]%s+(.*)$" or "^%s*[-*+]%s+(.*)$")
    if rest == nil then break end
    local box, after = rest:match("^%[([ xX])%]%s+(.*)$")
    if box then rest = (box == " " and "☐ " or "☑ ") .. after end
    items[#items + 1] = "<li>" .. write_inline(rest, writer) .. "</li>"
    index = index + 1
  end
  local tag = is_ordered and "ol" or "ul"
  return "<" .. tag .. ">" .. table.concat(items) .. "</" .. tag .. ">", index
end

local function is_rule(line)
  local sign = line:match("^ ? ? ?([-*_])")
  if sign == nil then return false end
  local marks = line:gsub("%s", "")
  return #marks >= 3 and marks == sign:rep(#marks)
end

local function starts_block(lines, index)
  local line = lines[index]
  return line:find("^%s*$") or line:find("^%s*```") or line:find("^%s*~~~") or line:find("^#+%s") or line:find("^%s*>")
    or line:find("^%s*[-*+]%s") or line:find("^%s*%d+[.)]%s") or is_rule(line)
    or line:find("|", 1, true) and is_separator(lines[index + 1])
end

-- A fenced block that begins in line `index`: its code, its language and the line after it.
local function read_fence(lines, index)
  local indent, fence, language = lines[index]:match("^(%s*)(```+)%s*([^`]*)$")
  if fence == nil then indent, fence, language = lines[index]:match("^(%s*)(~~~+)%s*(.*)$") end
  if fence == nil then return nil end
  local code, sign = {}, fence:sub(1, 1)
  index = index + 1
  while lines[index] do
    local line = lines[index]
    local close = line:match("^%s*([`~]+)%s*$")
    index = index + 1
    if close and #close >= #fence and close == sign:rep(#close) then break end
    -- A block that is indented, in a list, has code that is indented as much.
    if #indent > 0 and line:sub(1, #indent) == indent then line = line:sub(#indent + 1) end
    code[#code + 1] = line
  end
  return table.concat(code, "\n"), language:match("^(%S*)"), index
end

local function convert(text, writer)
  local lines, out = {}, {}
  for line in (text:gsub("\r\n", "\n") .. "\n"):gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  local index = 1
  while index <= #lines do
    local line = lines[index]
    local code, language, after = read_fence(lines, index)
    local signs, title = line:match("^ ? ? ?(#+)%s+(.*)$")
    if code then
      out[#out + 1] = writer.fence(code, language)
      index = after
    elseif signs and #signs <= 6 then
      title = title:gsub("%s#+%s*$", "")
      title = write_inline(title, without_bold[writer] or writer)
      out[#out + 1] = title == "" and "" or writer.heading(title, #signs)
      index = index + 1
    elseif is_rule(line) then
      out[#out + 1] = writer.rule
      index = index + 1
    elseif line:find("|", 1, true) and is_separator(lines[index + 1]) then
      local rows = { split_row(line) }
      index = index + 2
      while lines[index] and lines[index]:find("|", 1, true) do
        rows[#rows + 1] = split_row(lines[index])
        index = index + 1
      end
      out[#out + 1] = write_table(rows, writer)
    elseif line:find("^%s*>") then
      local quoted = {}
      while lines[index] and lines[index]:find("^%s*>") do
        quoted[#quoted + 1] = write_inline(lines[index]:match("^%s*>+%s?(.*)$"), writer)
        index = index + 1
      end
      if type(writer.quote) == "table" then
        out[#out + 1] = writer.quote[1] .. table.concat(quoted, writer.is_html and "<br>" or "\n") .. writer.quote[2]
      else
        out[#out + 1] = writer.quote .. table.concat(quoted, "\n" .. writer.quote)
      end
    elseif writer.is_html and (line:find("^%s*[-*+]%s+%S") or line:find("^%s*%d+[.)]%s+%S")) then
      out[#out + 1], index = write_html_list(lines, index, writer)
    elseif line:find("^%s*$") then
      if not writer.is_html then out[#out + 1] = "" end
      index = index + 1
    else
      local item = write_list_line(line, writer)
      if item then
        out[#out + 1] = item
        index = index + 1
      else
        -- A paragraph: emphasis may reach over its lines.
        local paragraph = { line }
        index = index + 1
        while lines[index] and not starts_block(lines, index) do
          paragraph[#paragraph + 1] = lines[index]
          index = index + 1
        end
        local written = write_inline(table.concat(paragraph, "\n"), writer)
        out[#out + 1] = writer.is_html and "<p>" .. written:gsub("\n", "<br>\n") .. "</p>" or written
      end
    end
  end
  return table.concat(out, "\n")
end

function format(text, response_format)
  local writer = writers[response_format]
  if writer == nil then return text end
  return convert(text, writer)
end
