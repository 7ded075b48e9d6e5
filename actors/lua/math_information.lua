-- Information theory, in nats.

local M, core = ...

local max = math.max

-- The sum of -p ln p
local function entropy(p)
  local parts = {}
  for i = 1, #p do
    parts[i] = p[i] > 0 and -p[i] * core.log(p[i]) or 0.0
  end
  return max(core.sum(parts), 0.0)
end

-- The sum of p ln(p/q); nil and an index where q is 0 and p is not
local function divergence(p, q)
  local parts = {}
  for i = 1, #p do
    if p[i] == 0 then
      parts[i] = 0.0
    elseif q[i] == 0 then
      return nil, i
    else
      parts[i] = p[i] * (core.log(p[i]) - core.log(q[i]))
    end
  end
  return max(core.sum(parts), 0.0)
end

-- The sum of -p ln q; nil and an index where q is 0 and p is not
local function crossed(p, q)
  local parts = {}
  for i = 1, #p do
    if p[i] == 0 then
      parts[i] = 0.0
    elseif q[i] == 0 then
      return nil, i
    else
      parts[i] = -p[i] * core.log(q[i])
    end
  end
  return max(core.sum(parts), 0.0)
end

function M.entropy(p)
  local shares = core.check.distribution("entropy", "p", p)
  return entropy(shares)
end

local function length_text(p, q)
  return "p and q must be of one length, got " .. #p .. " and " .. #q
end

local function zero_text(i)
  return "q[" .. i .. "] must be above 0 where p is: the result is infinite"
end

function M.kl_divergence(p, q)
  local left = core.check.distribution("kl_divergence", "p", p)
  local right = core.check.distribution("kl_divergence", "q", q)
  if #left ~= #right then
    core.check.refuse("kl_divergence", length_text(left, right))
  end
  local sum, zero = divergence(left, right)
  if not sum then
    core.check.refuse("kl_divergence", zero_text(zero))
  end
  return sum
end

function M.js_divergence(p, q)
  local left = core.check.distribution("js_divergence", "p", p)
  local right = core.check.distribution("js_divergence", "q", q)
  if #left ~= #right then
    core.check.refuse("js_divergence", length_text(left, right))
  end
  local middle = {}
  for i = 1, #left do
    middle[i] = left[i] / 2 + right[i] / 2
    if middle[i] == 0 then -- half of the smallest number
      middle[i] = max(left[i], right[i])
    end
  end
  return divergence(left, middle) / 2 + divergence(right, middle) / 2
end

function M.cross_entropy(p, q)
  local left = core.check.distribution("cross_entropy", "p", p)
  local right = core.check.distribution("cross_entropy", "q", q)
  if #left ~= #right then
    core.check.refuse("cross_entropy", length_text(left, right))
  end
  local sum, zero = crossed(left, right)
  if not sum then
    core.check.refuse("cross_entropy", zero_text(zero))
  end
  return sum
end
