-- Samples of continuous distributions.

local M, core = ...

local sqrt, max = math.sqrt, math.max

-- A normal pair by Marsaglia's polar method; the second of the pair is dropped, so that a generator stays four integers.
local function standard_normal(rng)
  local next_float = core.next_float
  while true do
    local u, v = 2 * next_float(rng) - 1, 2 * next_float(rng) - 1
    local s = u * u + v * v
    if s > 0 and s < 1 then
      return u * sqrt(-2 * core.log(s) / s)
    end
  end
end

-- 1 - u is in (0, 1], where the logarithm is finite
local function standard_exponential(rng)
  return -core.log(1 - core.next_float(rng))
end

-- Gamma of shape >= 1: Marsaglia and Tsang 2000, without their squeeze.
local function gamma_above_one(rng, shape)
  local d = shape - 1 / 3
  local c = 1 / sqrt(9 * d)
  while true do
    local x = standard_normal(rng)
    local root = 1 + c * x
    if root > 0 then
      local v = root * root * root
      if -standard_exponential(rng) < 0.5 * x * x + d * (1 - v + core.log(v)) then
        return d * v
      end
    end
  end
end

local function standard_gamma(rng, shape)
  if shape >= 1 then
    return gamma_above_one(rng, shape)
  end
  local boosted = gamma_above_one(rng, shape + 1)
  return boosted * core.exp(-standard_exponential(rng) / shape)
end
core.standard_gamma = standard_gamma

--- The logarithm of a gamma sample, finite where a small shape makes the sample itself 0.
function core.log_gamma_sample(rng, shape)
  if shape >= 1 then
    return core.log(gamma_above_one(rng, shape))
  end
  local boosted = core.log(gamma_above_one(rng, shape + 1))
  return max(boosted - standard_exponential(rng) / shape, -1e300)
end

--- A beta sample, from gammas in logarithms: both may be tiny.
function core.beta_sample(rng, a, b)
  local x, y = core.log_gamma_sample(rng, a), core.log_gamma_sample(rng, b)
  return 1 / (1 + core.exp(y - x))
end

function M.uniform_sample(rng, low, high)
  core.check.rng("uniform_sample", rng)
  low = core.check.finite("uniform_sample", "low", low)
  high = core.check.finite("uniform_sample", "high", high)
  if low > high then
    core.check.refuse("uniform_sample", "low must not be above high")
  end
  local width = core.check.result("uniform_sample", high - low)
  local x
  repeat
    x = low + width * core.next_float(rng)
  until x < high or low == high -- rounding may reach `high`, which is not included
  return x
end

function M.normal_sample(rng, mean, sd)
  core.check.rng("normal_sample", rng)
  mean = core.check.finite("normal_sample", "mean", mean)
  sd = core.check.non_negative("normal_sample", "sd", sd)
  return (core.check.result("normal_sample", mean + sd * standard_normal(rng)))
end

function M.lognormal_sample(rng, mu, sigma)
  core.check.rng("lognormal_sample", rng)
  mu = core.check.finite("lognormal_sample", "mu", mu)
  sigma = core.check.non_negative("lognormal_sample", "sigma", sigma)
  return (core.check.result("lognormal_sample", core.exp(mu + sigma * standard_normal(rng))))
end

function M.exp_sample(rng, lambda)
  core.check.rng("exp_sample", rng)
  lambda = core.check.positive("exp_sample", "lambda", lambda)
  return (core.check.result("exp_sample", standard_exponential(rng) / lambda))
end

function M.gamma_sample(rng, shape, scale)
  core.check.rng("gamma_sample", rng)
  shape = core.check.positive("gamma_sample", "shape", shape)
  scale = core.check.positive("gamma_sample", "scale", scale)
  return (core.check.result("gamma_sample", standard_gamma(rng, shape) * scale))
end

function M.beta_sample(rng, a, b)
  core.check.rng("beta_sample", rng)
  a = core.check.positive("beta_sample", "a", a)
  b = core.check.positive("beta_sample", "b", b)
  return core.beta_sample(rng, a, b)
end

function M.chi_squared_sample(rng, df)
  core.check.rng("chi_squared_sample", rng)
  df = core.check.positive("chi_squared_sample", "df", df)
  return (core.check.result("chi_squared_sample", 2 * standard_gamma(rng, df / 2)))
end

function M.student_t_sample(rng, df)
  core.check.rng("student_t_sample", rng)
  df = core.check.positive("student_t_sample", "df", df)
  local z = standard_normal(rng)
  local half_log_ratio = 0.5 * (core.log(df / 2) - core.log_gamma_sample(rng, df / 2))
  return (core.check.result("student_t_sample", z * core.exp(half_log_ratio)))
end
