-- Hypothesis tests. All p-values are two-sided, or of the upper tail where the statistic has only one.

local M, core = ...

local sqrt, abs, max, min, huge = math.sqrt, math.abs, math.max, math.min, math.huge
local sort, type = table.sort, type

-- P(|T| >= |t|) for Student's t with df degrees of freedom
local function student_two_sided(t, df)
  if t == 0 then
    return 1.0
  end
  local ratio = df / t / t
  local p = core.beta_pq(df / 2, 0.5, ratio < huge and ratio / (1 + ratio) or 1.0, 1 / (1 + ratio))
  return p
end

function M.welch_t_test(xs, ys)
  local left = core.check.array("welch_t_test", "xs", xs, 2)
  local right = core.check.array("welch_t_test", "ys", ys, 2)
  local n, m = #left, #right
  local error_x, error_y = core.variance(left) / n, core.variance(right) / m
  local squared = core.check.result("welch_t_test", error_x + error_y)
  if squared == 0 then
    core.check.refuse("welch_t_test", "xs and ys must not both be constant: t is undefined")
  end
  local difference = core.mean(left) - core.mean(right)
  local t = core.check.result("welch_t_test", difference / sqrt(squared))
  local share_x, share_y = error_x / squared, error_y / squared
  local df = 1 / (share_x * share_x / (n - 1) + share_y * share_y / (m - 1))
  return { t_stat = t, df = df, p_value = student_two_sided(t, df) }
end

-- The sum of t^3 - t over the groups of equal values, each of t values.
local function tie_term(sorted)
  local sum, first = 0.0, 1
  for i = 2, #sorted + 1 do
    if sorted[i] ~= sorted[first] then
      local t = i - first + 0.0
      sum = sum + (t * t * t - t)
      first = i
    end
  end
  return sum
end

local function joined(left, right)
  local all, n = {}, #left
  for i = 1, n do
    all[i] = left[i]
  end
  for i = 1, #right do
    all[n + i] = right[i]
  end
  return all
end

local function wants_continuity(options)
  if options == nil then
    return true
  elseif type(options) ~= "table" then
    return nil
  end
  local wanted = options.continuity_correction
  if wanted == nil then
    return true
  elseif type(wanted) ~= "boolean" then
    return nil
  end
  return wanted
end

-- z of U with the normal approximation, its variance corrected for ties; 0 when all values are equal.
local function u_score(u, n, m, all, continuity)
  local total = n + m
  sort(all)
  local spread = total + 1 - tie_term(all) / (total * (total - 1.0))
  local sd = sqrt(max(n * m / 12.0 * spread, 0))
  local off = u - n * m / 2.0
  local distance = max(abs(off) - (continuity and 0.5 or 0), 0)
  if sd == 0 or distance == 0 then
    return 0.0
  end
  return (off > 0 and distance or -distance) / sd
end

function M.mann_whitney_u(xs, ys, options)
  local left = core.check.array("mann_whitney_u", "xs", xs)
  local right = core.check.array("mann_whitney_u", "ys", ys)
  local continuity = wants_continuity(options)
  if continuity == nil then
    core.check.refuse("mann_whitney_u", "options must be a table like {continuity_correction = true}")
  end
  local all = joined(left, right)
  local ranks, sum, n = core.ranks(all), 0.0, #left
  for i = 1, n do
    sum = sum + ranks[i]
  end
  local u = sum - n * (n + 1) / 2.0
  local z = u_score(u, n, #right, all, continuity)
  return { u_stat = u, z_score = z, p_value = min(core.erfc(abs(z) * sqrt(0.5)), 1.0) }
end

function M.chi_squared_test(observed, expected)
  local counts = core.check.weights("chi_squared_test", "observed", observed, 2)
  local wanted = core.check.positives("chi_squared_test", "expected", expected, 2)
  if #counts ~= #wanted then
    local lengths = #counts .. " and " .. #wanted
    core.check.refuse("chi_squared_test", "observed and expected must be of one length, got " .. lengths)
  end
  local parts = {}
  for i = 1, #counts do
    local off = counts[i] - wanted[i]
    parts[i] = off / wanted[i] * off
  end
  local statistic = core.check.result("chi_squared_test", core.sum(parts))
  local df = #counts - 1
  local _, q = core.gamma_pq(df / 2, statistic / 2)
  return { chi2_stat = statistic, df = df, p_value = q }
end

-- The largest distance of two empirical distribution functions.
local function ks_distance(left, right)
  sort(left)
  sort(right)
  local n, m = #left, #right
  local i, j, largest = 0, 0, 0.0
  while i < n and j < m do
    local x = min(left[i + 1], right[j + 1])
    while i < n and left[i + 1] == x do
      i = i + 1
    end
    while j < m and right[j + 1] == x do
      j = j + 1
    end
    largest = max(largest, abs(i * m - j * n))
  end
  return largest
end

-- The upper tail of Kolmogorov's distribution: of its two series, the one that converges fast at x.
local function kolmogorov_upper(x)
  local sum = 0.0
  if x < 0.2 then
    return 1.0 -- the lower tail is below 1e-12
  elseif x < 1 then
    local base = -core.PI * core.PI / (8 * x * x)
    for k = 9, 1, -2 do
      sum = sum + core.exp(base * k * k)
    end
    return 1 - sqrt(2 * core.PI) / x * sum
  end
  for k = 6, 1, -1 do
    local term = core.exp(-2 * k * k * x * x)
    sum = sum + (k % 2 == 1 and term or -term)
  end
  return min(2 * sum, 1.0)
end

local EXACT_UP_TO = 1000000 -- pairs of values; a million take a tenth of a second

-- How likely two samples of n and m values from one continuous distribution are at least `h / (n m)` apart: of all
-- orders of n + m values, the part in which the two distribution functions come that far apart.
local function exact_upper(n, m, h)
  local p = {}
  for j = 0, m do
    p[j] = j * n >= h and 1.0 or 0.0
  end
  for i = 1, n do
    if i * m >= h then
      p[0] = 1.0
    end
    for j = 1, m do
      if abs(i * m - j * n) >= h then
        p[j] = 1.0
      else
        p[j] = (i * p[j] + j * p[j - 1]) / (i + j)
      end
    end
  end
  return p[m]
end

function M.ks_test(xs, ys)
  local left = core.check.array("ks_test", "xs", xs)
  local right = core.check.array("ks_test", "ys", ys)
  local n, m = #left, #right
  local h = ks_distance(left, right)
  local d = h / (n * m)
  if n * m <= EXACT_UP_TO then
    return { d_stat = d, p_value = h == 0 and 1.0 or exact_upper(n, m, h) }
  end
  local root = sqrt(n * m / (n + m))
  -- Stephens' (1970) correction brings the asymptotic distribution nearer
  return { d_stat = d, p_value = kolmogorov_upper((root + 0.12 + 0.11 / root) * d) }
end
