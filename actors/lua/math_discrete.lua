-- Samples of discrete distributions, and of the Dirichlet distribution.

local M, core = ...

local floor, tointeger = math.floor, math.tointeger

-- Up to here one draw per trial (or event) is as fast as a gamma sample.
local FEW = 16

-- Splits the trials at the median of their uniform numbers (Relles 1972): with beta samples, log2(n) steps.
local function binomial(rng, n, p)
  local count = 0
  while n > FEW do
    local middle = n // 2 + 1
    local x = core.beta_sample(rng, middle + 0.0, n + 1.0 - middle)
    if x <= p then
      count = count + middle
      n = n - middle
      p = x < 1 and (p - x) / (1 - x) or 0
    else
      n = middle - 1
      p = p / x
    end
  end
  for _ = 1, n do
    if core.next_float(rng) < p then
      count = count + 1
    end
  end
  return count
end

-- Jumps to the time of an event some way before the end (Ahrens and Dieter 1974), then counts single ones.
local function poisson(rng, lambda)
  local count = 0
  while lambda > FEW do
    local jump = tointeger(floor(lambda * 0.875))
    local time = core.standard_gamma(rng, jump + 0.0)
    if time > lambda then
      return count + binomial(rng, jump - 1, lambda / time)
    end
    count = count + jump
    lambda = lambda - time
  end
  local limit, product = core.exp(-lambda), 1 - core.next_float(rng)
  while product > limit do
    count = count + 1
    product = product * (1 - core.next_float(rng))
  end
  return count
end

function M.binomial_sample(rng, n, p)
  core.check.rng("binomial_sample", rng)
  n = core.check.integer("binomial_sample", "n", n, 0, core.MAX_EXACT)
  p = core.check.within("binomial_sample", "p", p)
  return binomial(rng, n, p)
end

function M.poisson_sample(rng, lambda)
  core.check.rng("poisson_sample", rng)
  lambda = core.check.within("poisson_sample", "lambda", lambda, core.MAX_EXACT)
  return poisson(rng, lambda)
end

function M.categorical_sample(rng, weights)
  core.check.rng("categorical_sample", rng)
  weights = core.check.weights("categorical_sample", "weights", weights)
  local sum = core.check.result("categorical_sample", core.sum(weights))
  if sum == 0 then
    core.check.refuse("categorical_sample", "at least one of weights must be > 0")
  end
  local target, reached, index = sum * core.next_float(rng), 0.0, nil
  for i = 1, #weights do
    if weights[i] > 0 then
      index = i -- the last one with a weight, should rounding leave `reached` below `target`
      reached = reached + weights[i]
      if target < reached then
        break
      end
    end
  end
  return index
end

function M.dirichlet_sample(rng, alphas)
  core.check.rng("dirichlet_sample", rng)
  alphas = core.check.positives("dirichlet_sample", "alphas", alphas, 2)
  local logs = {}
  for i = 1, #alphas do
    logs[i] = core.log_gamma_sample(rng, alphas[i])
  end
  return core.softmax(logs)
end
