-- What scripts have as their _G: the language without files, processes, bytecode and finalizers.

local K = ...
local E, P = K.E, K.P
local type, error, pcall, rawget, select, load = type, error, pcall, rawget, select, load
local find, byte, concat, floor = string.find, string.byte, table.concat, math.floor
local metatable_of, set_metatable, collect, traceback = debug.getmetatable, setmetatable, collectgarbage, debug.traceback

local AS_THEY_ARE = {
  "_VERSION", "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawlen",
  "rawset", "select", "tonumber", "type", "xpcall",
}
for i = 1, #AS_THEY_ARE do
  E[AS_THEY_ARE[i]] = P[AS_THEY_ARE[i]]
end
E._G = E
E.alc = K.alc
E.coroutine = K.copy(P.coroutine)
E.math = K.copy(P.math)
E.table = K.copy(P.table)
E.utf8 = K.copy(P.utf8)

-- Finalizers run whenever the collector pleases, so a replay could not repeat them.
function E.setmetatable(...)
  local t, mt = ...
  if type(t) ~= "table" then
    error("bad argument #1 to 'setmetatable' (table expected, got " .. K.got(1, ...) .. ")", 2)
  elseif mt ~= nil and type(mt) ~= "table" or select("#", ...) < 2 then
    error("bad argument #2 to 'setmetatable' (nil or table expected)", 2)
  end
  local old = metatable_of(t)
  if old and rawget(old, "__metatable") ~= nil then
    error("cannot change a protected metatable", 2)
  elseif mt and rawget(mt, "__gc") ~= nil then
    error("setmetatable: __gc is not available in a session", 2)
  end
  return set_metatable(t, mt)
end

-- Gives a copy the metatable of its original. One with a finalizer, which was put there later, stays away.
function K.liken(copy, original)
  local mt = metatable_of(original)
  if mt and rawget(mt, "__gc") == nil then
    set_metatable(copy, mt)
  end
  return copy
end

-- The type of the n-th argument as the standard library names it in complaints.
function K.got(n, ...)
  if select("#", ...) < n then
    return "no value"
  end
  return type((select(n, ...)))
end

local KIB = 1024

-- "count" is rounded up to whole MiB: exact figures differ between a run and its replay.
function E.collectgarbage(option)
  if option == nil or option == "collect" then
    collect("collect")
    return 0
  elseif option == "step" then
    return collect("step")
  elseif option == "count" then
    return (floor(collect("count") / KIB) + 1) * KIB + 0.0
  end
  error("collectgarbage: only 'collect', 'step' and 'count' are available in a session", 2)
end

local function drain(reader)
  local parts, size = {}, 0
  while true do
    local part = reader()
    if part == nil or part == "" then
      return concat(parts)
    elseif type(part) ~= "string" then
      error("reader function must return a string", 0)
    end
    parts[#parts + 1] = part
    size = size + #part
    if K.exceeds(size, "max_code_bytes") then
      error(K.over("a chunk of bytes", size, "max_code_bytes"), 0)
    end
  end
end

-- Text only; `env` is the script's _G unless it is given.
function E.load(...)
  local chunk, name, mode, env = ...
  if type(chunk) == "function" then
    local ok, source = pcall(drain, chunk)
    if not ok then
      return nil, source
    end
    chunk, name = source, name == nil and "=(load)" or name
  elseif type(chunk) ~= "string" then
    error("bad argument #1 to 'load' (function expected, got " .. K.got(1, ...) .. ")", 2)
  end
  if type(name) ~= "string" then
    name = chunk
  end
  if K.exceeds(#chunk, "max_code_bytes") then
    return nil, K.over("a chunk of bytes", #chunk, "max_code_bytes")
  elseif byte(chunk) == 27 then
    return nil, "attempt to load a binary chunk (mode is 't')"
  elseif type(mode) == "string" and not find(mode, "t", 1, true) then
    return nil, "attempt to load a text chunk (mode is '" .. mode .. "')"
  end
  if select("#", ...) < 4 then
    env = E
  end
  return load(chunk, name, "t", env)
end

local debug = {}
E.debug = debug

function debug.traceback(...)
  local thread, message, level = ...
  if type(thread) == "thread" then
    if message ~= nil and K.as_text(message) == nil then
      return message
    end
    return traceback(thread, message, K.as_integer(level) or 0)
  end
  message, level = thread, message
  if message ~= nil and K.as_text(message) == nil then
    return message
  end
  return traceback(message, (K.as_integer(level) or 1) + 1)
end
