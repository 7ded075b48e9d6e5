-- tostring and string.format without addresses: an object is numbered when it is first shown, so that a replay,
-- where it lives elsewhere, shows the same.

local K = ...
local tostring, type, rawget, select, error, pcall, rawequal = tostring, type, rawget, select, error, pcall, rawequal
local format, find, gsub, match = string.format, string.find, string.gsub, string.match
local metatable_of, table_pack, table_unpack, math_type = debug.getmetatable, table.pack, table.unpack, math.type

local numbers = setmetatable({}, { __mode = "k" })
local last = 0

local function address(v)
  local n = numbers[v]
  if not n then
    last = last + 1
    n = last
    numbers[v] = n
  end
  return format("0x%08x", n)
end

local PLAIN = { string = true, number = true, boolean = true, ["nil"] = true }

local function shown(v)
  local t = type(v)
  if t == "number" then
    return K.number_text(v)
  elseif PLAIN[t] or rawequal(v, K.null) then
    return tostring(v)
  end
  local mt = metatable_of(v)
  if mt then
    if rawget(mt, "__tostring") ~= nil then
      return tostring(v)
    end
    local name = rawget(mt, "__name")
    if type(name) == "string" then
      t = name
    end
  end
  return t .. ": " .. address(v)
end
K.tostring = shown

function K.E.tostring(...)
  local v = ...
  if v == nil and select("#", ...) == 0 then
    error("bad argument #1 to 'tostring' (value expected)", 2)
  end
  return shown(v)
end

-- Raises what a native function raised inside pcall, as if the script had called it: complaints about arguments
-- get the script's line and the function's name, everything else passes as it is.
function K.complain(name, problem)
  if type(problem) == "string" and (find(problem, "^bad argument") or find(problem, "^invalid ")
    or find(problem, "^wrong number of") or find(problem, "^resulting string") or find(problem, "^array too big")) then
    error(gsub(problem, "to '[^']*'", function()
      return "to '" .. name .. "'"
    end, 1), 3) -- 1 is this, 2 `settle`, which took its caller's place
  end
  error(problem, 0)
end

local function settle(name, ok, ...)
  if ok then
    return ...
  end
  K.complain(name, (...))
end

-- A native function whose complaints name the script's line although a wrapper calls it.
function K.guard(name, native)
  return function(...)
    return settle(name, pcall(native, ...))
  end
end

-- The arguments of a format that shows objects or floats, with those shown our way.
local function without_addresses(fmt, args)
  local n = 1
  local changed = gsub(fmt, "%%([-+ #0-9.]*)(.)", function(flags, kind)
    if kind == "%" and flags == "" then
      return nil
    end
    n = n + 1
    local v = args[n]
    if kind == "s" and n <= args.n then
      args[n] = shown(v)
    elseif kind == "p" and n <= args.n then
      local t = type(v)
      args[n] = (t == "number" or t == "boolean" or t == "nil") and "(null)"
        or t == "string" and "0x" .. K.alc.fingerprint(v)
        or address(v)
      return "%" .. flags .. "s"
    end
    return nil
  end)
  args[1] = changed
  return args
end

-- Whether the native format shows these as we do; `fmt` has a %s or not.
local function plain(shows_text, ...)
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    if not PLAIN[type(v)] or shows_text and math_type(v) == "float" then
      return false
    end
  end
  return true
end

function K.E_format(fmt, ...)
  if type(fmt) == "string" and (find(fmt, "p", 1, true) and match(fmt, "%%[-0-9]*p")
    or not plain(match(fmt, "%%[-0-9.]*s"), ...)) then
    local args = without_addresses(fmt, table_pack(fmt, ...))
    return settle("format", pcall(format, table_unpack(args, 1, args.n)))
  end
  return settle("format", pcall(format, fmt, ...))
end
