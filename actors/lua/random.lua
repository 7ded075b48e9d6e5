-- math.random, seeded by the session: what a script draws is the same in every replay.

local K = ...
local M = K.E.math
local native = math.randomseed
local seed, reseeds = 0, 0

function K.seed_random(value)
  seed, reseeds = value, 0
  native(seed, 0)
end

local checked = K.guard("randomseed", native)

-- Without arguments, the next seed of the session's own sequence; the clock is never asked.
function M.randomseed(...)
  if select("#", ...) == 0 then
    reseeds = reseeds + 1
    return native(seed, reseeds)
  end
  return checked(...)
end
