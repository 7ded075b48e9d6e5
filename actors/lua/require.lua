-- require: the host finds and reads modules, a session never touches a file.

local K = ...
local E = K.E
local type, error, load, rawget, rawset, sub, gsub, find = type, error, load, rawget, rawset, string.sub, string.gsub, string.find

local MAX_NAME_BYTES = 255 -- the host knows no longer one

local loaded, preload, loading = {}, {}, {}
E.package = { loaded = loaded, preload = preload, path = "", cpath = "", config = "/\n;\n?\n!\n-\n" }
for _, name in ipairs({ "coroutine", "debug", "io", "math", "os", "string", "table", "utf8" }) do
  loaded[name] = E[name]
end
loaded._G = E
loaded.alc = K.alc

-- Source without a byte order mark; a first line that starts with # becomes empty.
function K.source(text)
  if sub(text, 1, 3) == "\xEF\xBB\xBF" then
    text = sub(text, 4)
  end
  if sub(text, 1, 1) == "#" then
    text = gsub(text, "^[^\n]*", "", 1)
  end
  return text
end

-- The loader of the module and what it is told as its second argument; or nil and a message.
local function fetch(name)
  if preload[name] then
    return preload[name], ":preload:"
  elseif find(name, "\0", 1, true) then
    return nil, "module name holds a NUL byte"
  elseif #name > MAX_NAME_BYTES then
    return nil, "module name of " .. #name .. " bytes is not allowed: at most " .. MAX_NAME_BYTES
  end
  local ok, reply = K.request('{"t":"require","name":' .. K.quote(name))
  if not ok then
    return nil, reply
  end
  local module = K.decode(reply or "null")
  if type(module) ~= "table" or type(module.source) ~= "string" then
    return nil, "module '" .. name .. "' not found"
  end
  if K.exceeds(#module.source, "max_code_bytes") then
    return nil, K.over("module '" .. name .. "' of bytes", #module.source, "max_code_bytes")
  end
  local path = K.as_text(module.path) or name
  local chunk, problem = load(K.source(module.source), "@" .. path, "t", E)
  if not chunk then
    return nil, "error loading module '" .. name .. "' from file '" .. path .. "':\n\t" .. problem
  end
  return chunk, path
end

local function run(name, loader, extra)
  loading[name] = true
  local value = loader(name, extra)
  if value ~= nil then
    loaded[name] = value
  elseif loaded[name] == nil then
    loaded[name] = true
  end
  return loaded[name]
end

local FRAME = "evalframe" -- the package that expects a global `std`, see eval.lua

-- Whether the script has been lent `std`.
local function lend()
  local _ = K.standard or K.alc.eval -- which has eval.lua compiled
  if not K.standard or rawget(E, "std") ~= nil then
    return false
  end
  rawset(E, "std", K.standard()) -- a script may have made its globals strict
  return true
end

function E.require(...)
  local name = K.as_text((...))
  if not name then
    error("bad argument #1 to 'require' (string expected, got " .. K.got(1, ...) .. ")", 2)
  elseif loaded[name] ~= nil then
    return loaded[name], ":loaded:"
  elseif loading[name] then
    error("loop or previous error loading module '" .. name .. "'", 2)
  end
  local loader, extra = fetch(name)
  if not loader then
    error(extra, 2)
  end
  local lent = name == FRAME and lend()
  local ok, value = pcall(run, name, loader, extra)
  loading[name] = nil
  if lent then
    rawset(E, "std", nil)
  end
  if not ok then
    error(value, 0)
  end
  return value, extra
end
K.require = E.require
