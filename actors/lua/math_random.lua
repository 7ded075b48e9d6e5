-- Generators and what draws from a list: xoshiro256** (Blackman and Vigna 2018), seeded through splitmix64.
--
-- A generator is a table of four integers, plain data: it can be copied, encoded as JSON and kept in `alc.state`.

local M, core = ...

local ult = math.ult

-- shifts that fill every bit below the highest one
local FILL = { 1, 2, 4, 8, 16, 32 }

local function rotate_left(x, k)
  return (x << k) | (x >> (64 - k))
end

--- 64 random bits, as an integer.
function core.next_bits(rng)
  local a, b, c, d = rng[1], rng[2], rng[3], rng[4]
  local result = rotate_left(b * 5, 7) * 9
  c, d = c ~ a, d ~ b
  rng[1] = a ~ d
  rng[2] = b ~ c
  rng[3] = c ~ (b << 17)
  rng[4] = rotate_left(d, 45)
  return result
end
local next_bits = core.next_bits

--- A float in [0, 1): a multiple of 2^-53.
function core.next_float(rng)
  return (next_bits(rng) >> 11) * 0x1p-53
end
local next_float = core.next_float

--- An integer from `min` to `max`, all equally likely: bits above the range are masked off, misses drawn again.
function core.next_int(rng, min, max)
  local range = max - min
  local mask = range
  for i = 1, 6 do
    mask = mask | (mask >> FILL[i])
  end
  local x
  repeat
    x = next_bits(rng) & mask
  until not ult(range, x)
  return min + x
end

function M.rng_create(seed)
  local state = core.check.integer("rng_create", "seed", seed)
  local rng = {}
  for i = 1, 4 do
    state = state + 0x9e3779b97f4a7c15
    local z = state
    z = (z ~ (z >> 30)) * 0xbf58476d1ce4e5b9
    z = (z ~ (z >> 27)) * 0x94d049bb133111eb
    rng[i] = z ~ (z >> 31)
  end
  return rng
end

function M.rng_float(rng)
  core.check.rng("rng_float", rng)
  return next_float(rng)
end

function M.rng_int(rng, min, max)
  core.check.rng("rng_int", rng)
  min = core.check.integer("rng_int", "min", min)
  max = core.check.integer("rng_int", "max", max)
  if min > max then
    core.check.refuse("rng_int", "min must not be above max, got " .. min .. " and " .. max)
  end
  return core.next_int(rng, min, max)
end

function M.shuffle(rng, t)
  core.check.rng("shuffle", rng)
  core.check.list("shuffle", "t", t, 0)
  for i = #t, 2, -1 do
    local j = core.next_int(rng, 1, i)
    t[i], t[j] = t[j], t[i]
  end
  return t
end

function M.sample_with_replacement(rng, t, n)
  core.check.rng("sample_with_replacement", rng)
  core.check.list("sample_with_replacement", "t", t, 1)
  n = core.check.integer("sample_with_replacement", "n", n, 0)
  local sample, size = {}, #t
  for i = 1, n do
    sample[i] = t[core.next_int(rng, 1, size)]
  end
  return sample
end
