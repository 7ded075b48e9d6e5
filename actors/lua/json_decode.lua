-- Lua values from JSON: strict, and linear in the length of the text.
--
-- null becomes alc.null, [] a table that is encoded as [] again, an integer that fits 64 bits an integer.

local K = ...
local byte, find, sub, format, concat = string.byte, string.find, string.sub, string.format, table.concat
local tonumber, utf8_char, error, pcall, type, huge = tonumber, utf8.char, error, pcall, type, math.huge
local null, empty_arrays = K.null, K.empty_arrays

local MAX_DEPTH = 512 -- arbitrary; far below what Lua's stack takes

local UNESCAPE = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local text

local function fail(what, at)
  error({ format("%s at byte %d", what, at) }, 0)
end

local function skip(i)
  return find(text, "[^ \t\r\n]", i) or #text + 1
end

local function code_unit(i)
  local hex = sub(text, i, i + 3)
  if not find(hex, "^%x%x%x%x$") then
    fail("a bad \\u escape", i - 2)
  end
  return tonumber(hex, 16)
end

-- The character of the \u escape whose digits start at i, and the position after it.
local function unicode(i)
  local unit = code_unit(i)
  if unit < 0xD800 or unit > 0xDFFF then
    return utf8_char(unit), i + 4
  end
  if unit > 0xDBFF or sub(text, i + 4, i + 5) ~= "\\u" then
    fail("half of a surrogate pair", i - 2)
  end
  local low = code_unit(i + 6)
  if low < 0xDC00 or low > 0xDFFF then
    fail("half of a surrogate pair", i - 2)
  end
  return utf8_char(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)), i + 10
end

-- The string whose quote is at i, and the position after it.
local function string_at(i)
  local start = i + 1
  local stop = find(text, '["\\\0-\31]', start)
  if stop and byte(text, stop) == 34 then
    return sub(text, start, stop - 1), stop + 1
  end
  local parts, n = {}, 0
  while stop do
    n = n + 1
    parts[n] = sub(text, start, stop - 1)
    local c = byte(text, stop)
    if c == 34 then
      return concat(parts), stop + 1
    elseif c ~= 92 then
      fail("a control character in a string", stop)
    end
    local escaped = sub(text, stop + 1, stop + 1)
    n = n + 1
    if escaped == "u" then
      parts[n], start = unicode(stop + 2)
    else
      parts[n], start = UNESCAPE[escaped] or fail("a bad escape", stop), stop + 2
    end
    stop = find(text, '["\\\0-\31]', start)
  end
  fail("a string without an end", i)
end

local function number_at(i)
  local _, stop = find(text, "^-?%d+%.?%d*[eE]?[+-]?%d*", i)
  if not stop then
    fail("no value", i)
  end
  local lexeme = sub(text, i, stop)
  local n = tonumber(lexeme)
  if not n or find(lexeme, "^-?0%d") or find(lexeme, "%.%D") or find(lexeme, "%.$") then
    fail("a bad number", i)
  elseif n == huge or n == -huge then
    fail("a number out of range", i)
  end
  return n, stop + 1
end

local value

local function array_at(i, depth)
  local t, n = {}, 0
  i = skip(i + 1)
  if byte(text, i) == 93 then
    empty_arrays[t] = true
    return t, i + 1
  end
  while true do
    n = n + 1
    t[n], i = value(i, depth)
    i = skip(i)
    local c = byte(text, i)
    if c == 93 then
      return t, i + 1
    elseif c ~= 44 then
      fail("no , or ]", i)
    end
    i = skip(i + 1)
  end
end

local function object_at(i, depth)
  local t = {}
  i = skip(i + 1)
  if byte(text, i) == 125 then
    return t, i + 1
  end
  while true do
    if byte(text, i) ~= 34 then
      fail("no key", i)
    end
    local key
    key, i = string_at(i)
    i = skip(i)
    if byte(text, i) ~= 58 then
      fail("no :", i)
    end
    t[key], i = value(skip(i + 1), depth)
    i = skip(i)
    local c = byte(text, i)
    if c == 125 then
      return t, i + 1
    elseif c ~= 44 then
      fail("no , or }", i)
    end
    i = skip(i + 1)
  end
end

local function word_at(i)
  if sub(text, i, i + 3) == "true" then
    return true, i + 4
  elseif sub(text, i, i + 4) == "false" then
    return false, i + 5
  elseif sub(text, i, i + 3) == "null" then
    return null, i + 4
  end
  fail("no value", i)
end

function value(i, depth)
  local c = byte(text, i)
  if c == 34 then
    return string_at(i)
  elseif c == 123 or c == 91 then
    if depth >= MAX_DEPTH then
      fail(format("more than %d levels", MAX_DEPTH), i)
    end
    return (c == 123 and object_at or array_at)(i, depth + 1)
  elseif c == 116 or c == 102 or c == 110 then
    return word_at(i)
  end
  return number_at(i)
end

local function document()
  if not K.is_utf8(text) then
    fail("bytes that are not UTF-8", select(2, utf8.len(text)))
  end
  local v, i = value(skip(1), 0)
  i = skip(i)
  if i <= #text then
    fail("more after the value", i)
  end
  return v
end

-- The value of the JSON text `source` (never nil), or nil and what is wrong.
function K.decode(source)
  text = source
  local ok, v = pcall(document)
  text = nil
  if ok then
    return v
  elseif type(v) ~= "table" then
    error(v, 0)
  end
  return nil, v[1]
end

function K.alc.json_decode(s)
  local source = K.as_text(s)
  if not source then
    error("alc.json_decode: text must be a string, got " .. K.kind(s), 2)
  end
  local v, problem = K.decode(source)
  if v == nil then
    error("alc.json_decode: " .. problem, 2)
  end
  return v
end
