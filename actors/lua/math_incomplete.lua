-- The regularized incomplete gamma and beta functions, on which most distribution functions stand.

local M, core = ...

local sqrt, abs, huge = math.sqrt, math.abs, math.huge

--- Largest shape: near its mean the fractions take about sqrt(shape) steps, here a tenth of a second.
core.MAX_SHAPE = 1e10

local TINY, EPSILON = 1e-300, 1e-16

-- a ln(a/x) + x - a, without cancellation where x is near a: with v = (a-x)/(a+x), ln(a/x) = 2 artanh(v).
local function deviance(a, x)
  local v = (a - x) / (a + x)
  if x < a * 1e-300 then
    return huge
  elseif abs(v) > 0.1 then
    return a * core.log(a / x) + x - a
  end
  local square, sum = v * v, 0.0
  for k = 17, 3, -2 do
    sum = sum * square + 1 / k
  end
  return (a - x) * v + 2 * a * v * square * sum
end

-- x^a e^-x / Gamma(a + 1)
local function gamma_term(a, x)
  if a < 10 then
    return core.exp(a * core.log(x) - x - core.log_gamma(a + 1))
  end
  return core.exp(-deviance(a, x) - core.stirling_rest(a)) / sqrt(2 * core.PI * a)
end

local function gamma_series(a, x)
  local term, sum, n = 1.0, 1.0, a
  repeat
    n = n + 1
    term = term * x / n
    sum = sum + term
  until term < sum * EPSILON
  return sum
end

-- One step of Lentz's method for continued fractions, as modified by Thompson and Barnett (1986).
local function lentz(c, d, numerator, denominator)
  d = denominator + numerator * d
  c = denominator + numerator / c
  if abs(d) < TINY then
    d = TINY
  end
  if abs(c) < TINY then
    c = TINY
  end
  return c, 1 / d
end

-- e^x x^-a times the upper incomplete gamma function, for x >= a + 1
local function gamma_fraction(a, x)
  local b = x + 1 - a
  local c, d = 1 / TINY, 1 / b
  local value, i = d, 0
  local change
  repeat
    i = i + 1
    b = b + 2
    c, d = lentz(c, d, -i * (i - a), b)
    change = c * d
    value = value * change
  until abs(change - 1) < 3 * EPSILON
  return value
end

--- P(a, x) and Q(a, x) = 1 - P, for a > 0, x >= 0.
function core.gamma_pq(a, x)
  if x == 0 then
    return 0.0, 1.0
  end
  local term = gamma_term(a, x)
  if x < a + 1 then
    local p = term == 0 and 0.0 or term * gamma_series(a, x)
    p = p < 1 and p or 1.0
    return p, 1 - p
  end
  local q = term == 0 and 0.0 or a * term * gamma_fraction(a, x)
  q = q < 1 and q or 1.0
  return 1 - q, q
end

-- x^a y^b / B(a, b), with y = 1 - x
local function beta_term(a, b, x, y)
  if a < 10 or b < 10 then
    local log_x = y < 0.5 and core.log1p(-y) or core.log(x)
    local log_y = x < 0.5 and core.log1p(-x) or core.log(y)
    return core.exp(a * log_x + b * log_y - core.log_beta(a, b))
  end
  local n = a + b
  local rest = core.stirling_rest(n) - core.stirling_rest(a) - core.stirling_rest(b)
  return core.exp(rest - deviance(a, n * x) - deviance(b, n * y)) * sqrt(a / n * b / (2 * core.PI))
end

-- The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), two terms a turn.
local function beta_fraction(a, b, x)
  local c, d = lentz(1 / TINY, 1.0, -(a + b) / (a + 1) * x, 1.0)
  local value, m = d, 0
  local change
  repeat
    m = m + 1
    local n = a + 2 * m
    c, d = lentz(c, d, m * (b - m) * x / ((n - 1) * n), 1.0)
    value = value * c * d
    c, d = lentz(c, d, -(a + m) * (a + b + m) * x / (n * (n + 1)), 1.0)
    change = c * d
    value = value * change
  until abs(change - 1) < 3 * EPSILON
  return value
end

--- I_x(a, b) and 1 - I_x(a, b); y = 1 - x comes along, as the caller may know it better than by subtraction.
function core.beta_pq(a, b, x, y)
  if x <= 0 then
    return 0.0, 1.0
  elseif y <= 0 then
    return 1.0, 0.0
  end
  local swapped = x > (a + 1) / (a + b + 2) -- the fraction converges fast on its own side of the mean
  if swapped then
    a, b, x, y = b, a, y, x
  end
  local term = beta_term(a, b, x, y)
  local p = term == 0 and 0.0 or term * beta_fraction(a, b, x) / a
  p = p < 1 and p or 1.0
  if swapped then
    return 1 - p, p
  end
  return p, 1 - p
end

function M.regularized_incomplete_gamma(a, x)
  a = core.check.parameter("regularized_incomplete_gamma", "a", a, core.MAX_SHAPE)
  x = core.check.non_negative("regularized_incomplete_gamma", "x", x)
  local p = core.gamma_pq(a, x)
  return p
end

function M.regularized_incomplete_beta(x, a, b)
  x = core.check.within("regularized_incomplete_beta", "x", x)
  a = core.check.parameter("regularized_incomplete_beta", "a", a, core.MAX_SHAPE)
  b = core.check.parameter("regularized_incomplete_beta", "b", b, core.MAX_SHAPE)
  local p = core.beta_pq(a, b, x, 1 - x)
  return p
end
