-- JSON from Lua values: raw access only, so that no metamethod runs, and an error for all that JSON cannot say.
--
-- With k positive integer keys, the largest n: an array of n when 0 < k and n <= 2k (holes are null, other keys
-- are left out with a warning), else an object with its keys in order. Floats keep ".0", integers stay integers.

local K = ...
local type, next, rawget, rawequal, error, pcall = type, next, rawget, rawequal, error, pcall
local find, gsub, format, sort, concat = string.find, string.gsub, string.format, table.sort, table.concat
local math_type, tonumber, utf8_len, huge = math.type, tonumber, utf8.len, math.huge
local null = K.null

local MAX_DEPTH = 96 -- what a host's strict decoder surely takes
local MAX_TABLES = 250000 -- arbitrary: a host needs twenty times the bytes of an empty table in the text

-- Tables that were decoded from [] and are encoded so while they are empty.
local empty_arrays = setmetatable({}, { __mode = "k" })
K.empty_arrays = empty_arrays

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\b"] = "\\b", ["\f"] = "\\f" }
for code = 0, 31 do
  local char = string.char(code)
  ESCAPES[char] = ESCAPES[char] or format("\\u%04x", code)
end

local out, count, size, limit, path, seen, dropped, tables

local function place(depth)
  local parts = { "$" }
  for i = 1, depth do
    local key = path[i]
    if math_type(key) == "integer" then
      parts[#parts + 1] = format("[%d]", key)
    elseif find(key, "^[%a_][%w_]*$") then
      parts[#parts + 1] = "." .. key
    else
      parts[#parts + 1] = format("[%q]", (K.repair(key)))
    end
  end
  return concat(parts)
end

local function fail(depth, what)
  error({ what .. " at " .. place(depth) }, 0)
end

local function emit(piece)
  count = count + 1
  out[count] = piece
  size = size + #piece
  if size > limit then
    error({ format("more than %d bytes", limit), true }, 0)
  end
end

local function quote(s, depth)
  if find(s, "[\128-\255]") and not utf8_len(s) then
    fail(depth, "a string that is not valid UTF-8")
  end
  if find(s, '[\0-\31"\\]') then
    s = gsub(s, '[\0-\31"\\]', ESCAPES)
  end
  return '"' .. s .. '"'
end

local function number(v, depth)
  if math_type(v) == "integer" then
    return format("%d", v)
  elseif v ~= v then
    fail(depth, "NaN")
  elseif v == huge or v == -huge then
    fail(depth, "an infinity")
  end
  local text = format("%.15g", v)
  if tonumber(text) ~= v then
    text = format("%.16g", v)
    if tonumber(text) ~= v then
      text = format("%.17g", v)
    end
  end
  if not find(text, "[.e]") then
    text = text .. ".0"
  end
  return text
end

local value

local function array(t, n, depth)
  for i = 1, n do
    emit(i == 1 and "[" or ",")
    local item = rawget(t, i)
    if item == nil then
      emit("null")
    else
      path[depth] = i
      value(item, depth)
    end
  end
  emit("]")
end

local function object(t, depth)
  local names, values, n = {}, {}, 0
  for key, item in next, t do
    local name = key
    if math_type(key) == "integer" then
      name = format("%d", key)
    elseif type(key) ~= "string" then
      fail(depth - 1, "a table with a key of type " .. K.kind(key))
    end
    if values[name] ~= nil then
      fail(depth - 1, format("two keys %q (an integer and a string)", name))
    end
    n = n + 1
    names[n], values[name] = name, item
  end
  sort(names)
  for i = 1, n do
    local name = names[i]
    path[depth] = name
    emit((i == 1 and "{" or ",") .. quote(name, depth) .. ":")
    value(values[name], depth)
  end
  emit("}")
end

local function whole(t, depth)
  if depth > MAX_DEPTH then
    fail(depth - 1, format("more than %d levels", MAX_DEPTH))
  elseif seen[t] then
    fail(depth - 1, "a cycle")
  end
  tables = tables + 1
  if tables > MAX_TABLES then
    fail(depth - 1, format("more than %d tables", MAX_TABLES))
  end
  local k, n, others = 0, 0, 0
  for key in next, t do
    if math_type(key) == "integer" and key > 0 then
      k = k + 1
      if key > n then
        n = key
      end
    else
      others = others + 1
    end
  end
  if k == 0 and others == 0 then
    emit(empty_arrays[t] and "[]" or "{}")
    return
  end
  seen[t] = true
  if k > 0 and n // 2 + n % 2 <= k then
    if others > 0 then
      dropped[#dropped + 1] = format("%d keys beside the array at %s", others, place(depth - 1))
    end
    array(t, n, depth)
  else
    object(t, depth)
  end
  seen[t] = nil
end

function value(v, depth)
  local t = type(v)
  if t == "string" then
    emit(quote(v, depth))
  elseif t == "number" then
    emit(number(v, depth))
  elseif t == "table" then
    whole(v, depth + 1)
  elseif t == "boolean" then
    emit(v and "true" or "false")
  elseif t == "nil" or rawequal(v, null) then
    emit("null")
  else
    fail(depth, "a " .. K.kind(v))
  end
end

-- The JSON text of v; or nil, what is wrong, and whether it was only too long (`max_bytes`, 0 for no limit).
-- `counted`: tables in texts that go with this one. Returns how many there are with it as the second value.
function K.encode(v, max_bytes, counted)
  out, count, size, path, seen, dropped, tables = {}, 0, 0, {}, {}, {}, counted or 0
  limit = max_bytes and max_bytes > 0 and max_bytes or huge
  local ok, problem = pcall(value, v, 0)
  local text = ok and concat(out, "", 1, count)
  local warnings = dropped
  out, path, seen, dropped = nil, nil, nil, nil
  if not ok then
    if type(problem) ~= "table" then
      error(problem, 0)
    end
    return nil, problem[1], problem[2]
  end
  for i = 1, #warnings do
    K.log("warn", "engine", "JSON leaves out " .. warnings[i])
  end
  return text, tables
end

-- The JSON text of a string, which is repaired where it is not UTF-8.
function K.quote(s)
  s = K.repair(s)
  if find(s, '[\0-\31"\\]') then
    s = gsub(s, '[\0-\31"\\]', ESCAPES)
  end
  return '"' .. s .. '"'
end

function K.alc.json_encode(v)
  local text, problem = K.encode(v)
  if not text then
    error("alc.json_encode: cannot encode " .. problem, 2)
  end
  return text
end
