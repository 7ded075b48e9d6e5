-- The error function, the normal distribution, and Wilson's interval that is built on its quantiles.

local M, core = ...

local sqrt, floor, abs = math.sqrt, math.floor, math.abs

local TWO_OVER_SQRT_PI, ONE_OVER_SQRT_PI = 1.1283791670955126, 0.5641895835477563
local SQRT_2, SQRT_HALF = 1.4142135623730951, 0.7071067811865476

-- Below it the series of erf, above it the continued fraction of erfc: both then need fewer than 100 steps.
local SWITCH = 1.5

-- e^(-x^2) to the last bits: the square of x cut to sixteenths is exact.
local function exp_minus_square(x)
  x = abs(x)
  if x > 30 then
    return 0.0
  end
  local h = floor(x * 16) / 16
  return core.exp(-h * h) * core.exp((h - x) * (h + x))
end

-- All terms are positive, nothing cancels (Abramowitz and Stegun 7.1.6).
local function erf_series(x)
  local square, term, sum, n = 2 * x * x, 1.0, 1.0, 1
  repeat
    n = n + 2
    term = term * square / n
    sum = sum + term
  until term < sum * 1e-17
  return TWO_OVER_SQRT_PI * x * exp_minus_square(x) * sum
end

-- e^(x^2) erfc(x) for x >= SWITCH: Laplace's continued fraction (7.1.14), from its end.
local function erfc_scaled(x)
  local steps = 20 + floor(170 / (x * x))
  local fraction = x
  for k = steps, 1, -1 do
    fraction = x + 0.5 * k / fraction
  end
  return ONE_OVER_SQRT_PI / fraction
end

local function erf(x)
  if abs(x) < SWITCH then
    return erf_series(x)
  end
  local rest = exp_minus_square(x) * erfc_scaled(abs(x))
  return x > 0 and 1 - rest or rest - 1
end

local function erfc(x)
  if x < SWITCH then
    return 1 - erf(x)
  end
  return exp_minus_square(x) * erfc_scaled(x)
end
core.erfc = erfc

--- The standard normal distribution function.
function core.normal_cdf(z)
  return 0.5 * erfc(-z * SQRT_HALF)
end

-- w with erf(w) = q, for |q| <= 1/2: the series at 0, then Halley's method.
local function erf_inverse(q)
  local square = q * q
  local w = q / TWO_OVER_SQRT_PI * (1 + square * (0.2617993877991494 + square * 0.14393173084921979))
  for _ = 1, 5 do
    local step = (erf_series(w) - q) / (TWO_OVER_SQRT_PI * exp_minus_square(w))
    w = w - step / (1 + w * step)
  end
  return w
end

-- w >= 0 with erfc(w) = 2p, for 0 < p <= 1/4: a guess (26.2.22), then Newton's method on the logarithms.
local function erfc_inverse(p)
  local log_target = core.log(p) + core.LN2
  local t = sqrt(-2 * core.log(p))
  local w = (t - (2.30753 + 0.27061 * t) / (1 + t * (0.99229 + 0.04481 * t))) * SQRT_HALF
  for _ = 1, 6 do
    local scaled, log_erfc
    if w < SWITCH then
      local value = erfc(w)
      scaled, log_erfc = value / exp_minus_square(w), core.log(value)
    else
      scaled = erfc_scaled(w)
      log_erfc = core.log(scaled) - w * w
    end
    w = w + (log_erfc - log_target) * scaled / TWO_OVER_SQRT_PI
  end
  return w
end

--- The quantile of the standard normal distribution, 0 < p < 1.
function core.normal_quantile(p)
  if p < 0.25 then
    return -SQRT_2 * erfc_inverse(p)
  elseif p > 0.75 then
    return SQRT_2 * erfc_inverse(1 - p)
  end
  return SQRT_2 * erf_inverse(2 * p - 1)
end

function M.erf(x)
  x = core.check.finite("erf", "x", x)
  return erf(x)
end

function M.erfc(x)
  x = core.check.finite("erfc", "x", x)
  return erfc(x)
end

function M.normal_cdf(x, mu, sigma)
  x = core.check.finite("normal_cdf", "x", x)
  mu = core.check.finite("normal_cdf", "mu", mu)
  sigma = core.check.positive("normal_cdf", "sigma", sigma)
  return core.normal_cdf((x - mu) / sigma)
end

function M.normal_ppf(p)
  p = core.check.inside_unit("normal_ppf", "p", p)
  return core.normal_quantile(p)
end

function M.normal_inverse_cdf(p, mu, sigma)
  p = core.check.inside_unit("normal_inverse_cdf", "p", p)
  mu = core.check.finite("normal_inverse_cdf", "mu", mu)
  sigma = core.check.positive("normal_inverse_cdf", "sigma", sigma)
  return (core.check.result("normal_inverse_cdf", mu + sigma * core.normal_quantile(p)))
end

function M.wilson_ci(successes, total, confidence)
  total = core.check.positive("wilson_ci", "total", total)
  successes = core.check.within("wilson_ci", "successes", successes, total)
  confidence = core.check.inside_unit("wilson_ci", "confidence", confidence)
  local z = -core.normal_quantile((1 - confidence) / 2)
  local share, weight = successes / total, z * z / total
  local center = (share + weight / 2) / (1 + weight)
  local half = sqrt(weight * (share * (1 - share) + weight / 4)) / (1 + weight)
  -- no successes (or only successes): the bound is exactly 0 (or 1), whatever rounding says
  return {
    lower = successes == 0 and 0.0 or center - half,
    upper = successes == total and 1.0 or center + half,
    center = center,
  }
end
