-- Special functions: the gamma function and its kin, and logarithms of sums and odds.

local M, core = ...

local floor, ldexp, huge, abs = math.floor, math.ldexp, math.huge, math.abs

-- 1 - (Euler's constant), and zeta(k) - 1 for k = 2..27: the Taylor series of ln Gamma at 2
local ONE_MINUS_EULER = 0.42278433509846713
local ZETA_MINUS_1 = {
  0.6449340668482264, 0.2020569031595943, 0.08232323371113819, 0.03692775514336993, 0.01734306198444914,
  0.008349277381922827, 0.00407735619794434, 0.0020083928260822143, 0.0009945751278180853, 0.0004941886041194645,
  0.0002460865533080483, 0.00012271334757848915, 6.124813505870483e-05, 3.058823630702049e-05, 1.528225940865187e-05,
  7.637197637899763e-06, 3.81729326499984e-06, 1.908212716553939e-06, 9.539620338727962e-07, 4.769329867878064e-07,
  2.38450502727733e-07, 1.1921992596531106e-07, 5.960818905125948e-08, 2.980350351465228e-08, 1.4901554828365043e-08,
  7.45071178983543e-09,
}

-- Bernoulli numbers B(2), B(4) .. B(18): asymptotic series for x >= 10
local BERNOULLI = { 1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798 }

-- ln Gamma(2 + z) for |z| <= 1/2
local function log_gamma_near_two(z)
  local sum = 0.0
  for k = 27, 2, -1 do
    local term = ZETA_MINUS_1[k - 1] / k
    sum = (k % 2 == 0 and term or -term) + sum * z
  end
  return z * (ONE_MINUS_EULER + z * sum)
end

--- What Stirling's formula for ln Gamma(x) leaves out, for x >= 10.
function core.stirling_rest(x)
  local z, sum = 1 / (x * x), 0.0
  for k = 9, 1, -1 do
    sum = sum * z + BERNOULLI[k] / (2 * k * (2 * k - 1))
  end
  return sum / x
end

--- ln |Gamma(x)| for x > 0.
local function log_gamma(x)
  if x < 0.5 then
    return log_gamma_near_two(x) - core.log(x) - core.log1p(x)
  elseif x < 1.5 then
    return log_gamma_near_two(x - 1) - core.log1p(x - 1)
  elseif x >= 10 then
    return (x - 0.5) * core.log(x) - x + core.HALF_LN_2PI + core.stirling_rest(x)
  end
  local product = 1.0
  while x > 2.5 do
    x = x - 1
    product = product * x
  end
  return log_gamma_near_two(x - 2) + core.log(product)
end
core.log_gamma = log_gamma

function M.lgamma(x)
  x = core.check.finite("lgamma", "x", x)
  if x > 0 then
    return (core.check.result("lgamma", log_gamma(x)))
  elseif x == floor(x) then
    core.check.refuse("lgamma", "x must not be zero or a negative integer, where gamma has poles")
  end
  local sin = core.sin_cos_pi(x)
  return core.log(core.PI / abs(sin)) - log_gamma(1 - x)
end

--- ln B(a, b), without the cancellation of three large ln Gammas.
function core.log_beta(a, b)
  local p, q = a < b and a or b, a < b and b or a
  if q < 10 then
    return log_gamma(p) + log_gamma(q) - log_gamma(p + q)
  end
  local ratio = p / q
  local rest = core.stirling_rest(q) - core.stirling_rest(p + q)
  local log_share = -core.log1p(ratio) -- ln(q / (p + q))
  if p < 10 then
    return log_gamma(p) + rest + p - p * core.log(p + q) + (q - 0.5) * log_share
  end
  return core.HALF_LN_2PI - 0.5 * core.log(q) + core.stirling_rest(p) + rest
    + (p - 0.5) * core.log(ratio / (1 + ratio)) + q * log_share
end

function M.ln_beta(a, b)
  a = core.check.positive("ln_beta", "a", a)
  b = core.check.positive("ln_beta", "b", b)
  return (core.check.result("ln_beta", core.log_beta(a, b)))
end

function M.beta(a, b)
  a = core.check.positive("beta", "a", a)
  b = core.check.positive("beta", "b", b)
  return (core.check.result("beta", core.exp(core.log_beta(a, b))))
end

local function digamma(x)
  local shifted = 0.0
  while x < 10 do
    shifted = shifted + 1 / x
    x = x + 1
  end
  local z, sum = 1 / (x * x), 0.0
  for k = 9, 1, -1 do
    sum = (sum + BERNOULLI[k] / (2 * k)) * z
  end
  return core.log(x) - 0.5 / x - sum - shifted
end

function M.digamma(x)
  x = core.check.finite("digamma", "x", x)
  if x > 0 then
    return (core.check.result("digamma", digamma(x)))
  elseif x == floor(x) then
    core.check.refuse("digamma", "x must not be zero or a negative integer, where digamma has poles")
  end
  local sin, cos = core.sin_cos_pi(x)
  return (core.check.result("digamma", digamma(1 - x) - core.PI * cos / sin))
end

-- n! to the last bit: the odd factors as an unevaluated sum of two floats, the twos counted apart.
function M.factorial(n)
  n = core.check.integer("factorial", "n", n, 0, 170)
  local high, low, twos = 1.0, 0.0, 0
  for k = 2, n do
    local factor = k
    while factor % 2 == 0 do
      factor, twos = factor // 2, twos + 1
    end
    -- Veltkamp's split: `upper` has 26 bits, so both products with a factor of 8 bits are exact
    local spread = high * 134217729.0
    local upper = spread - (spread - high)
    local first, second = upper * factor, (high - upper) * factor
    local rest = second + low * factor
    high = first + rest
    low = rest - (high - first)
  end
  return ldexp(high, twos)
end

function M.ln_factorial(n)
  n = core.check.integer("ln_factorial", "n", n, 0, core.MAX_EXACT)
  return log_gamma(n + 1.0)
end

function M.logsumexp(t)
  local values = core.check.array("logsumexp", "t", t)
  local highest = -huge
  for i = 1, #values do
    highest = values[i] > highest and values[i] or highest
  end
  for i = 1, #values do
    values[i] = core.exp(values[i] - highest)
  end
  return highest + core.log(core.sum(values))
end

function M.logit(p)
  p = core.check.inside_unit("logit", "p", p)
  if p >= 0.25 and p <= 0.75 then
    return core.log1p((2 * p - 1) / (1 - p)) -- p/(1-p) is near 1: its distance from 1 is exact, itself is not
  end
  return core.log(p) - core.log1p(-p)
end

function M.expit(x)
  x = core.check.finite("expit", "x", x)
  if x < 0 then
    local e = core.exp(x)
    return e / (1 + e)
  end
  return 1 / (1 + core.exp(-x))
end
