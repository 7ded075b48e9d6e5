-- Text: what counts as text, and what is done about text that is not UTF-8.

local K = ...
local byte, find, sub, format = string.byte, string.find, string.sub, string.format
local concat, utf8_len, type, math_type = table.concat, utf8.len, type, math.type
local tostring, rawequal = tostring, rawequal

-- JSON's null: a light userdata, neither nil nor a table. `upvalueid` is the one function that makes one.
K.null = debug.upvalueid(function()
  return K
end, 1)
debug.setmetatable(K.null, {
  __tostring = function()
    return "null"
  end,
  __name = "null",
  __metatable = false,
})
K.alc.null = K.null

-- The name of v's type for messages.
function K.kind(v)
  if rawequal(v, K.null) then
    return "null"
  end
  return type(v)
end

-- A number as text, a float with 14 digits as Lua 5.4 shows it. (`..` and what C converts are beyond reach: 5.5 shows
-- as many digits as it takes to read the float back.)
function K.number_text(v)
  if math_type(v) == "integer" then
    return tostring(v)
  end
  local text = format("%.14g", v)
  if not find(text, "[^0-9-]") then
    text = text .. ".0"
  end
  return text
end

-- A string or a number as text, else nil.
function K.as_text(v)
  local t = type(v)
  if t == "string" then
    return v
  elseif t == "number" then
    return K.number_text(v)
  end
  return nil
end

-- A number with an integer value as an integer, else nil. Strings do not count.
function K.as_integer(v)
  if math_type(v) == "integer" then
    return v
  elseif math_type(v) == "float" then
    return math.tointeger(v)
  end
  return nil
end

-- The integers that a Lua function of the standard library would take: numeric strings too.
function K.whole(v)
  local n = tonumber(v)
  if n == nil then
    return nil
  end
  return math.tointeger(n)
end

function K.is_utf8(s)
  return not find(s, "[\128-\255]") or utf8_len(s) ~= nil
end

-- Where the broken sequence that starts at i ends: the longest start of a valid character, at least one byte.
local function broken_end(s, i)
  local lead = byte(s, i)
  local more, low, high = 0, 0x80, 0xBF
  if lead >= 0xC2 and lead <= 0xDF then
    more = 1
  elseif lead >= 0xE0 and lead <= 0xEF then
    more = 2
    if lead == 0xE0 then
      low = 0xA0
    elseif lead == 0xED then
      high = 0x9F
    end
  elseif lead >= 0xF0 and lead <= 0xF4 then
    more = 3
    if lead == 0xF0 then
      low = 0x90
    elseif lead == 0xF4 then
      high = 0x8F
    end
  end
  local last = i
  while more > 0 do
    local b = byte(s, last + 1)
    if not b or b < low or b > high then
      break
    end
    last, more, low, high = last + 1, more - 1, 0x80, 0xBF
  end
  return last
end

-- s with each broken sequence replaced by U+FFFD, and whether there was one.
function K.repair(s)
  if K.is_utf8(s) then
    return s, false
  end
  local parts, n, i = {}, 0, 1
  while true do
    local _, bad = utf8_len(s, i)
    if not bad then
      parts[n + 1] = sub(s, i)
      return concat(parts), true
    end
    parts[n + 1], parts[n + 2] = sub(s, i, bad - 1), "\u{FFFD}"
    n, i = n + 2, broken_end(s, bad) + 1
    if i > #s then
      return concat(parts), true
    end
  end
end

-- s without white space at its ends; linear, however much of it there is inside.
function K.trim(s)
  local first = find(s, "[^ \t\n\r\v\f]")
  if not first then
    return ""
  end
  local last = #s
  local b = byte(s, last)
  while b == 32 or b >= 9 and b <= 13 do
    last = last - 1
    b = byte(s, last)
  end
  return sub(s, first, last)
end

-- The first `limit` bytes of s, never ending inside a character. 0 is no limit.
function K.cut(s, limit)
  if limit == 0 or #s <= limit then
    return s
  end
  local last = limit
  while last > 0 do
    local b = byte(s, last + 1)
    if b < 0x80 or b >= 0xC0 then
      break
    end
    last = last - 1
  end
  return sub(s, 1, last)
end

-- The message of a crossed limit. It is kept, so that the end of the session can tell it from a script's own text.
function K.over(what, size, name)
  local text = format("%s: %d is more than %s (%d)", what, size, name, K.limits[name])
  K.limit_text = text
  return text
end

function K.exceeds(size, name)
  local limit = K.limits[name]
  return limit ~= nil and limit > 0 and size > limit
end
