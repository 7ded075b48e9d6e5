-- Validation for every function of `alc.math`: the whole input is checked before anything is computed.
--
-- Each file math_*.lua is given `alc.math` to fill, and a table `core` of what the files share and scripts never see:
-- scripts may change `alc.math` as they like without disturbing what its functions use. The files load in any order.
--
-- A check is called directly by the public function (never as a tail call): level 3 is then the script's line.

local M, core = ...

local error, type, next, format = error, type, next, string.format
local math_type, tointeger, huge = math.type, math.tointeger, math.huge

local check = {}
core.check = check

--- Largest integer up to which every integer is a float: 2^53.
core.MAX_EXACT = 9007199254740992

local function describe(value)
  if math_type(value) == "integer" then
    return format("%d", value)
  elseif math_type(value) then
    return value ~= value and "nan" or format("%.14g", value)
  elseif value == nil then
    return "nil"
  end
  return "a " .. type(value)
end

local function fail(fn, text, level)
  error("alc.math." .. fn .. ": " .. text, level + 1)
end

local function is_finite(value)
  return math_type(value) and value == value and value ~= huge and value ~= -huge
end

--- Refuses with a text of the caller's own.
function check.refuse(fn, text)
  fail(fn, text, 3)
end

--- A finite number, as a float.
function check.finite(fn, name, value)
  if not is_finite(value) then
    fail(fn, name .. " must be a finite number, got " .. describe(value), 3)
  end
  return value + 0.0
end

--- A finite number > 0, as a float.
function check.positive(fn, name, value)
  if not is_finite(value) or value <= 0 then
    fail(fn, name .. " must be a finite number > 0, got " .. describe(value), 3)
  end
  return value + 0.0
end

--- A finite number >= 0, as a float.
function check.non_negative(fn, name, value)
  if not is_finite(value) or value < 0 then
    fail(fn, name .. " must be a finite number >= 0, got " .. describe(value), 3)
  end
  return value + 0.0
end

--- A parameter of a distribution, as a float: above 0 and at most `max` (beyond it the series take seconds).
function check.parameter(fn, name, value, max)
  if not is_finite(value) or value <= 0 or value > max then
    fail(fn, format("%s must be a number > 0 and <= %g, got %s", name, max, describe(value)), 3)
  end
  return value + 0.0
end

--- A number from 0 to `max` (1 when absent), both included, as a float.
function check.within(fn, name, value, max)
  max = max or 1
  if not is_finite(value) or value < 0 or value > max then
    fail(fn, format("%s must be a number from 0 to %g, got %s", name, max, describe(value)), 3)
  end
  return value + 0.0
end

--- A number between 0 and 1, neither included, as a float.
function check.inside_unit(fn, name, value)
  if not is_finite(value) or value <= 0 or value >= 1 then
    fail(fn, name .. " must be a number above 0 and below 1, got " .. describe(value), 3)
  end
  return value + 0.0
end

--- An integer (1.0 counts as 1) from `min` to `max`; either may be nil.
function check.integer(fn, name, value, min, max)
  local integer = math_type(value) and tointeger(value)
  if integer and (not min or integer >= min) and (not max or integer <= max) then
    return integer
  end
  local wanted = " must be an integer"
  if min and max then
    wanted = format(" must be an integer from %d to %d", min, max)
  elseif min then
    wanted = format(" must be an integer >= %d", min)
  end
  fail(fn, name .. wanted .. ", got " .. describe(value), 3)
end

-- The index of a hole: `#` may stop at a nil with numbers behind it, which would then be left out in silence.
local function hole(values, n)
  for key in next, values do
    if math_type(key) == "integer" and key > n then
      return n + 1
    end
  end
  return nil
end

-- Copies: a check must hold for the numbers that are then used, whatever __index a script has put on its table.
local function copy_array(fn, name, values, least, lowest, level)
  if type(values) ~= "table" then
    fail(fn, name .. " must be an array of numbers, got " .. describe(values), level + 1)
  end
  local n = #values
  if n < least then
    local wanted = least == 1 and "must not be empty" or format("must have at least %d numbers, got %d", least, n)
    fail(fn, name .. " " .. wanted, level + 1)
  end
  local copy = {}
  for i = 1, n do
    local value = values[i]
    if not is_finite(value) then
      fail(fn, format("%s[%d] must be a finite number, got %s", name, i, describe(value)), level + 1)
    elseif value < lowest then
      fail(fn, format("%s[%d] must be >= %g, got %s", name, i, lowest, describe(value)), level + 1)
    end
    copy[i] = value + 0.0
  end
  local missing = hole(values, n)
  if missing then
    fail(fn, format("%s[%d] must be a finite number, got nil", name, missing), level + 1)
  end
  return copy
end

--- An array of at least `least` (1 when absent) finite numbers: a copy, as floats.
function check.array(fn, name, values, least)
  local copy = copy_array(fn, name, values, least or 1, -huge, 3)
  return copy
end

--- The same for numbers >= 0.
function check.weights(fn, name, values, least)
  local copy = copy_array(fn, name, values, least or 1, 0, 3)
  return copy
end

--- The same for numbers > 0.
function check.positives(fn, name, values, least)
  local copy = copy_array(fn, name, values, least or 1, 0, 3)
  for i = 1, #copy do
    if copy[i] == 0 then
      fail(fn, format("%s[%d] must be > 0, got 0", name, i), 3)
    end
  end
  return copy
end

--- Two arrays `xs` and `ys` of one length, at least `least`: copies.
function check.pairs_of(fn, xs, ys, least)
  local left = copy_array(fn, "xs", xs, least, -huge, 3)
  local right = copy_array(fn, "ys", ys, least, -huge, 3)
  if #left ~= #right then
    fail(fn, format("xs and ys must be of one length, got %d and %d", #left, #right), 3)
  end
  return left, right
end

--- A probability distribution: numbers >= 0 whose sum is 1 within 1e-6 (what rounding by hand leaves): a copy.
function check.distribution(fn, name, values)
  local copy = copy_array(fn, name, values, 1, 0, 3)
  local sum = core.sum(copy)
  if not (sum >= 1 - 1e-6 and sum <= 1 + 1e-6) then
    fail(fn, format("%s must sum to 1, got %.14g; divide each number by the sum", name, sum), 3)
  end
  return copy
end

--- An array of anything, with at least `least` elements and no holes.
function check.list(fn, name, values, least)
  if type(values) ~= "table" then
    fail(fn, name .. " must be an array, got " .. describe(values), 3)
  elseif #values < least then
    fail(fn, name .. " must not be empty", 3)
  end
  local n = #values
  local missing = hole(values, n)
  for i = n, 1, -1 do
    missing = values[i] == nil and i or missing
  end
  if missing then
    fail(fn, format("%s[%d] must not be nil: an array has no holes", name, missing), 3)
  end
end

--- A generator: what rng_create returns, or a copy of it.
function check.rng(fn, rng)
  local ok = type(rng) == "table"
  local bits = 0
  for i = 1, 4 do
    ok = ok and math_type(rng[i]) == "integer"
    bits = ok and bits | rng[i] or 0
  end
  if not ok or bits == 0 then
    fail(fn, "rng must be a generator from alc.math.rng_create, got " .. describe(rng), 3)
  end
end

--- A result that must be finite, when finite inputs may overflow.
function check.result(fn, value)
  if not is_finite(value) then
    fail(fn, "the result is too large for a number; scale the input down", 3)
  end
  return value
end
