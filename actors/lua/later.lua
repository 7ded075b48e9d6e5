-- Files that few scripts need are compiled when the first of their functions is asked for: a VM starts sooner.
--
-- `alc` and `alc.math` have a metatable until then. Listing them with `pairs` asks too, and so does replacing what is
-- not there yet: what a script has taken away must not come back.

local K = ...
local alc, waiting = K.alc, K.waiting
local load, find, rawget, rawset, next, setmetatable = load, string.find, rawget, rawset, next, setmetatable

-- Runs the waiting files whose names fit, filling `target`; what the script has put there itself stays.
local function fill(target, mathematics)
  debug.setmetatable(target, nil)
  local mine, shared = K.copy(target), {}
  for i = 1, #waiting do
    local name, chunk = waiting[i][1], waiting[i][2]
    if (find(name, "^math_") ~= nil) == mathematics then
      local file, problem = load(chunk, "=alc." .. name, "bt", K.P)
      if not file then
        error(problem, 0)
      end
      file(mathematics and target or K, shared)
    end
  end
  for key, value in next, mine do
    target[key] = value
  end
end

local function lazy(target, mathematics)
  setmetatable(target, {
    __index = function(_, key)
      fill(target, mathematics)
      return rawget(target, key)
    end,
    __newindex = function(_, key, value)
      fill(target, mathematics)
      rawset(target, key, value)
    end,
    __pairs = function()
      fill(target, mathematics)
      return next, target, nil
    end,
    __metatable = false,
  })
end

alc.math = {}
lazy(alc.math, true)
lazy(alc, false)
