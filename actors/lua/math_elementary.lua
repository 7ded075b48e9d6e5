-- exp, log and their kin from +, -, * and / alone, which IEEE 754 fixes to the bit. The C library's differ between
-- machines, and replay compares what was computed with what was recorded. (sqrt, frexp, ldexp are exact: used as is.)

local M, core = ...

local floor, frexp, ldexp, huge, abs = math.floor, math.frexp, math.ldexp, math.huge, math.abs

-- ln 2 in two parts; the first has 42 bits, so its product with any exponent (11 bits) is exact
local LN2_HIGH, LN2_LOW = 0x1.62e42fefa3800p-1, 0x1.ef35793c76730p-45
local INV_LN2 = 1.4426950408889634
local SQRT_HALF = 0.7071067811865476
local PI = 3.141592653589793

core.PI = PI
core.LN2 = 0.6931471805599453
core.HALF_LN_2PI = 0.9189385332046728

-- 1/k! for k = 2..13: with |r| <= ln(2)/2 the next term is below 2^-57
local INV_FACTORIAL = {}
do
  local factorial = 1
  for k = 2, 13 do
    factorial = factorial * k
    INV_FACTORIAL[k - 1] = 1 / factorial
  end
end

--- e^x; 0 and infinity where it underflows and overflows. Error below 1 ulp.
function core.exp(x)
  if x > 709.782712893384 then
    return huge
  elseif x < -745.1332191019412 then
    return 0.0
  end
  local k = floor(x * INV_LN2 + 0.5)
  local high, low = x - k * LN2_HIGH, k * LN2_LOW
  local r = high - low
  local lost = (high - r) - low
  local p = 0.0
  for i = 12, 1, -1 do
    p = p * r + INV_FACTORIAL[i]
  end
  return ldexp(1 + (r + (p * r * r + lost)), k)
end

--- ln x for 0 < x < infinity. Error below 1 ulp.
function core.log(x)
  local m, e = frexp(x)
  if m < SQRT_HALF then
    m, e = m * 2, e - 1
  end
  local f = m - 1
  -- ln(1 + f) = 2 artanh(s) with s = f/(2 + f), as f - f^2/2 + a small correction
  local s = f / (2 + f)
  local z = s * s
  local tail = 0.0
  for k = 23, 3, -2 do
    tail = tail * z + 2 / k
  end
  tail = tail * z
  local half = 0.5 * f * f
  return e * LN2_HIGH - ((half - (s * (half + tail) + e * LN2_LOW)) - f)
end
local log = core.log

--- ln(1 + x) for x > -1, exact to the last bits for small x.
function core.log1p(x)
  local u = 1 + x
  if u == 1 then
    return x
  end
  return log(u) + (x - (u - 1)) / u
end

-- sin and cos of y for |y| <= pi/4, by their series
local function sin_small(y)
  local z, term, sum = y * y, y, y
  for k = 2, 18, 2 do
    term = -term * z / (k * (k + 1))
    sum = sum + term
  end
  return sum
end

local function cos_small(y)
  local z, term, sum = y * y, 1.0, 1.0
  for k = 1, 17, 2 do
    term = -term * z / (k * (k + 1))
    sum = sum + term
  end
  return sum
end

--- sin(pi x), cos(pi x), for |x| < 2^52.
function core.sin_cos_pi(x)
  local n = floor(2 * x + 0.5)
  local y = (x - n / 2) * PI
  local sin, cos = sin_small(y), cos_small(y)
  local quarter = n % 4
  if quarter == 0 then
    return sin, cos
  elseif quarter == 1 then
    return cos, -sin
  elseif quarter == 2 then
    return -sin, -cos
  end
  return -cos, sin
end

--- The sum of an array, with the rounding errors summed beside it (Neumaier 1974).
function core.sum(values)
  local sum, lost = 0.0, 0.0
  for i = 1, #values do
    local x = values[i]
    local next_sum = sum + x
    if abs(sum) >= abs(x) then
      lost = lost + ((sum - next_sum) + x)
    else
      lost = lost + ((x - next_sum) + sum)
    end
    sum = next_sum
  end
  local total = sum + lost
  return total == total and total or sum
end
