-- pii-mask: takes personal data out of a message before a model sees it: e-mail addresses, phone numbers, IBANs (with the
-- right checksum), card numbers (that pass the Luhn check) and IP addresses. What was masked cannot be brought back. The
-- log says how many of each, never what.
--
-- Change: set a line of `mask` to nil to leave that kind alone. Code is masked like everything else.
--
--   orchestrator:
--     content_preparers: [{plugin: "lua:pii-mask"}]

local mask = {
  email = "[email]",
  iban = "[iban]",
  card = "[card]",
  ip = "[ip]",
  phone = "[phone]",
}

local counts

local function hide(kind)
  counts[kind] = (counts[kind] or 0) + 1
  return mask[kind]
end

-- Replaces what `find_next(text, from)` gives (first, last, kind), from left to right.
local function replace_all(text, find_next)
  local parts, position, from = {}, 1, 1
  while true do
    local first, last, kind = find_next(text, from)
    if first == nil then break end
    if mask[kind] then
      parts[#parts + 1] = text:sub(position, first - 1)
      parts[#parts + 1] = hide(kind)
      position = last + 1
    end
    from = last + 1
  end
  if position == 1 then return text end
  parts[#parts + 1] = text:sub(position)
  return table.concat(parts)
end

-- E-mail addresses: from each @ a bounded way to the left and to the right.
local function find_email(text, from)
  local at = from - 1
  while true do
    at = text:find("@", at + 1, true)
    if at == nil then return nil end
    local first = at
    local least = math.max(from, at - 64)
    while first > least and text:find("^[%w._%%+'\128-\255-]", first - 1) do first = first - 1 end
    while first < at and text:find("^['.%-]", first) do first = first + 1 end
    local domain = text:sub(at + 1, at + 253):match("^[%w.\128-\255-]+") or ""
    while domain:find("^[.-]", #domain) do domain = domain:sub(1, -2) end
    if first < at and domain:find("^[%w\128-\255]") then
      local ending = domain:match("%.([%a\128-\255][%w\128-\255-]*)$")
      if ending and #ending >= 2 then return first, at + #domain, "email" end
    end
  end
end

local iban_lengths = {
  AD = 24, AE = 23, AL = 28, AT = 20, AZ = 28, BA = 20, BE = 16, BG = 22, BH = 22, BR = 29, BY = 28, CH = 21, CR = 22,
  CY = 28, CZ = 24, DE = 22, DK = 18, DO = 28, EE = 20, EG = 29, ES = 24, FI = 18, FO = 18, FR = 27, GB = 22, GE = 22,
  GI = 23, GL = 18, GR = 27, GT = 28, HR = 21, HU = 28, IE = 22, IL = 23, IQ = 23, IS = 26, IT = 27, JO = 30, KW = 30,
  KZ = 20, LB = 28, LC = 32, LI = 21, LT = 20, LU = 20, LV = 21, LY = 25, MC = 27, MD = 24, ME = 22, MK = 19, MR = 27,
  MT = 31, MU = 30, NL = 18, NO = 15, PK = 24, PL = 28, PS = 29, PT = 25, QA = 29, RO = 24, RS = 22, SA = 24, SC = 31,
  SE = 24, SI = 19, SK = 24, SM = 27, ST = 25, SV = 28, TL = 23, TN = 24, TR = 26, UA = 29, VA = 22, VG = 24, XK = 20,
}

-- The remainder of the number that stands for the letters and digits, the first four moved to the end; 1 is right.
local function has_iban_checksum(iban)
  local moved, rest = iban:sub(5) .. iban:sub(1, 4), 0
  for index = 1, #moved do
    local byte = moved:byte(index)
    if byte <= 57 then rest = (rest * 10 + byte - 48) % 97
    else rest = (rest * 100 + byte - 55) % 97 end
  end
  return rest == 1
end

local function find_iban(text, from)
  local position = from
  while true do
    local first = text:find("%f[%w]%a%a%d%d[%w ]", position)
    if first == nil then return nil end
    local length = iban_lengths[text:sub(first, first + 1):upper()]
    if length then
      local letters, index = {}, first
      -- One space or hyphen may stand between two characters.
      while #letters < length do
        local character = text:match("^[%w]", index)
        if character == nil and text:find("^[ -]%w", index) then
          index = index + 1
          character = text:sub(index, index)
        end
        if character == nil then break end
        letters[#letters + 1] = character:upper()
        index = index + 1
      end
      if #letters == length and not text:find("^%w", index) and has_iban_checksum(table.concat(letters)) then
        return first, index - 1, "iban"
      end
    end
    position = first + 4
  end
end

local function has_luhn_checksum(digits)
  local sum, double = 0, false
  for index = #digits, 1, -1 do
    local digit = digits:byte(index) - 48
    if double then
      digit = digit * 2
      if digit > 9 then digit = digit - 9 end
    end
    sum, double = sum + digit, not double
  end
  return sum % 10 == 0
end

local function is_ip(text)
  for part in text:gmatch("%d+") do
    if #part > 3 or tonumber(part) > 255 then return false end
  end
  return true
end

-- A phone number begins with +, 00, 0 or (, or is written as 555-123-4567, and has 8 to 15 digits.
local function is_phone(digits, written, separators)
  if #digits < 8 or #digits > 15 then return false end
  if written:find("^%+") or written:find("^00") then return true end
  if written:find("^%(") or written:find("^0") then return #digits >= 9 end
  return #digits == 10 and separators == "33" and written:find("^%d%d%d[-. ]%d%d%d[-. ]%d%d%d%d$") ~= nil
end

-- From one group of digits on: adds the groups behind it, at most 19 digits, and gives the longest number that they make.
local function read_number(text, first)
  local _, address = text:find("^%d%d?%d?%.%d%d?%d?%.%d%d?%d?%.%d%d?%d?", first)
  if address and not text:find("^%.?%w", address + 1) and is_ip(text:sub(first, address)) then
    return address, "ip"
  end
  local index, digits, separators = first, "", ""
  local last, kind
  if text:find("^[+(]", index) then index = index + 1 end
  if text:find("^%(", index) then index = index + 1 end
  while #digits <= 19 do
    local _, stop = text:find("^%d+", index)
    if stop == nil or stop - index > 18 then break end
    digits = digits .. text:sub(index, stop)
    if not text:find("^[%w_]", stop + 1) then
      if #digits >= 13 and #digits <= 19 and digits:find("^[2-6]") and has_luhn_checksum(digits) then
        last, kind = stop, "card"
      elseif kind ~= "card" and is_phone(digits, text:sub(first, stop), separators .. (stop - index + 1 == 4 and "" or "x")) then
        last, kind = stop, "phone"
      end
    end
    separators = separators .. (stop - index + 1)
    local _, gap = text:find("^%)?[ .\\/-]?%(?", stop + 1)
    if gap == stop then break end
    index = gap + 1
  end
  return last, kind
end

-- Each group of digits is looked at once, and from it a bounded way on.
local function find_number(text, from)
  local position = from
  while true do
    local first, stop = text:find("%+?%(?%d+", position)
    if first == nil then return nil end
    if not text:find("^[%w_.]", first - 1) or first == 1 then
      local last, kind = read_number(text, first)
      if last and mask[kind] then return first, last, kind end
    end
    position = stop + 1
  end
end

-- Eight groups, or fewer around one ::, with at least two groups and a digit; so that 12:30:45 and std::vector are none.
local function find_ip6(text, from)
  local position = from
  while true do
    local first, last = text:find("%f[%x:][%x:]*:[%x:]*:[%x:]+", position)
    if first == nil then return nil end
    local token = text:sub(first, math.min(last, first + 60))
    local groups, is_right = 0, last - first <= 39 and token:find("%d") ~= nil and not token:find(":::", 1, true)
    for group in token:gmatch("%x+") do
      groups = groups + 1
      if #group > 4 then is_right = false end
    end
    local _, shortened = token:gsub("::", "")
    local is_alone = (first == 1 or not text:find("^%w", first - 1)) and not text:find("^%w", last + 1)
    local is_whole = shortened == 0 and groups == 8 or shortened == 1 and groups >= 2 and groups <= 7
    if is_right and is_alone and is_whole then return first, last, "ip" end
    position = last + 1
  end
end

function pre_hook(ctx)
  counts = {}
  local text = replace_all(ctx.message, find_email)
  text = replace_all(text, find_iban)
  text = replace_all(text, find_ip6)
  ctx.message = replace_all(text, find_number)
  local list = {}
  for kind, count in pairs(counts) do list[#list + 1] = kind .. " " .. count end
  if #list > 0 then
    table.sort(list)
    ctx.log("info", "masked: " .. table.concat(list, ", "))
  end
  return ctx
end
