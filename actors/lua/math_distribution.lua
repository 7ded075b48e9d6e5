-- Distribution functions and quantiles of the beta, gamma and Poisson distributions.

local M, core = ...

local max, min, abs, huge = math.max, math.min, math.abs, math.huge

-- ln x of the smallest positive number, and of 1/2: the quantile is looked for in between
local LOWEST, LOG_HALF = -744.44, -0.6931471805599453

-- How far the logarithm of the smaller tail is from its target at x = e^u, rising with u, and its slope.
local function tail_error(a, b, u, p, q)
  local x = core.exp(u)
  local lower, upper = core.beta_pq(a, b, x, 1 - x)
  local log_density = a * u + (b - 1) * core.log1p(-x) - core.log_beta(a, b) -- of u
  if p <= q then
    local log_lower = lower > 0 and core.log(lower) or -huge
    return log_lower - core.log(p), core.exp(log_density - log_lower)
  end
  local log_upper = upper > 0 and core.log(upper) or -huge
  return core.log(q) - log_upper, core.exp(log_density - log_upper)
end

-- The quantile when it is at most 1/2: Newton's method on ln x, held inside a bracket that bisection narrows.
local function lower_quantile(a, b, p, q)
  local low, high = LOWEST, LOG_HALF
  if tail_error(a, b, low, p, q) >= 0 then
    return 0.0 -- below the smallest number
  end
  local u = max(low, min(high, core.log(a / (a + b))))
  for _ = 1, 200 do
    local off, slope = tail_error(a, b, u, p, q)
    if off == 0 then
      break
    elseif off > 0 then
      high = u
    else
      low = u
    end
    local next_u = u - off / slope
    if not (next_u > low and next_u < high) then
      next_u = low + (high - low) / 2
    end
    local moved = abs(next_u - u)
    u = next_u
    if moved <= 2e-16 * max(1, abs(u)) then
      break
    end
  end
  return core.exp(u)
end

local function beta_quantile(p, a, b)
  local q = 1 - p
  local lower, upper = core.beta_pq(a, b, 0.5, 0.5)
  if p <= 0.5 and p <= lower or p > 0.5 and q >= upper then
    return lower_quantile(a, b, p, q)
  end
  return 1 - lower_quantile(b, a, q, p)
end

function M.beta_cdf(x, a, b)
  x = core.check.finite("beta_cdf", "x", x)
  a = core.check.parameter("beta_cdf", "a", a, core.MAX_SHAPE)
  b = core.check.parameter("beta_cdf", "b", b, core.MAX_SHAPE)
  local p = core.beta_pq(a, b, x, 1 - x)
  return p
end

function M.beta_ppf(p, a, b)
  p = core.check.within("beta_ppf", "p", p)
  a = core.check.parameter("beta_ppf", "a", a, core.MAX_SHAPE)
  b = core.check.parameter("beta_ppf", "b", b, core.MAX_SHAPE)
  if p == 0 or p == 1 then
    return p
  end
  return beta_quantile(p, a, b)
end

function M.beta_mean(a, b)
  a = core.check.positive("beta_mean", "a", a)
  b = core.check.positive("beta_mean", "b", b)
  return a < b and a / b / (1 + a / b) or 1 / (1 + b / a)
end

function M.beta_variance(a, b)
  a = core.check.positive("beta_variance", "a", a)
  b = core.check.positive("beta_variance", "b", b)
  local small, large = min(a, b), max(a, b)
  local ratio = small / large
  return ratio / (1 + ratio) / (1 + ratio) / (1 + a + b)
end

function M.gamma_cdf(x, shape, scale)
  x = core.check.finite("gamma_cdf", "x", x)
  shape = core.check.parameter("gamma_cdf", "shape", shape, core.MAX_SHAPE)
  scale = core.check.positive("gamma_cdf", "scale", scale)
  if x <= 0 then
    return 0.0
  end
  local scaled = x / scale
  if scaled == huge then
    return 1.0
  end
  local p = core.gamma_pq(shape, scaled)
  return p
end

function M.poisson_cdf(k, lambda)
  k = core.check.integer("poisson_cdf", "k", k)
  lambda = core.check.within("poisson_cdf", "lambda", lambda, core.MAX_SHAPE)
  if k < 0 then
    return 0.0
  elseif k >= 2 * core.MAX_SHAPE then
    return 1.0
  end
  local _, q = core.gamma_pq(k + 1.0, lambda)
  return q
end
