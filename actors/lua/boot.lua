-- Builds the library inside a fresh VM, then takes everything else away.
--
-- Arguments: the name and the chunk of every other file, in order. Returns K.run, the only way in.
--
-- Two environments come out of this:
--   P  where the files of this folder run: a private copy of the standard library, which no script can change
--   E  what scripts have as their _G (see sandbox.lua)
-- The real _G is left empty. Code of this folder must not use methods of strings (s:find()): those go through
-- the metatable of strings, whose functions belong to the script.

local G = _G
local load, next, select, error, setmetatable = load, next, select, error, setmetatable

local function copy(t)
  local r = {}
  for k, v in next, t do
    r[k] = v
  end
  return r
end

local P = {}
local BASE = {
  "assert", "collectgarbage", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget",
  "rawlen", "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall", "_VERSION",
}
for i = 1, #BASE do
  P[BASE[i]] = G[BASE[i]]
end
local LIBRARIES = { "coroutine", "math", "string", "table", "utf8" }
for i = 1, #LIBRARIES do
  P[LIBRARIES[i]] = copy(G[LIBRARIES[i]])
end
P.load = load
P.string.dump = nil
-- Of these no more than the files use: a script that should get hold of P finds nothing in it to break out with.
P.os = { clock = os.clock, date = os.date, difftime = os.difftime, time = os.time }
P.debug = {
  getmetatable = debug.getmetatable,
  setmetatable = debug.setmetatable,
  traceback = debug.traceback,
  upvalueid = debug.upvalueid,
}

-- What the files share. `waiting` holds the files that come after run.lua until a script asks for them (later.lua).
local K = {
  P = P,
  E = {},
  alc = {},
  stdin = io.stdin,
  stdout = io.stdout,
  exit = os.exit,
  waiting = {},
  limits = {},
  copy = copy,
}
K.stdin:setvbuf("full", 65536)
K.stdout:setvbuf("full", 65536)

for i = 1, select("#", ...), 2 do
  local name, chunk = select(i, ...)
  if K.run then
    K.waiting[#K.waiting + 1] = { name, chunk }
  else
    local file, problem = load(chunk, "=alc." .. name, "bt", P)
    if not file then
      error(problem, 0)
    end
    file(K)
  end
end

local loaded = package.loaded
for name in next, copy(loaded) do
  loaded[name] = nil
end
for name in next, copy(package) do
  package[name] = nil
end
for name in next, copy(G) do
  G[name] = nil
end
setmetatable(G, { __metatable = false })
return K.run
