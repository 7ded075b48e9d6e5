-- Descriptive statistics.

local M, core = ...

local sqrt, floor, abs, sort, huge, min = math.sqrt, math.floor, math.abs, table.sort, math.huge, math.min

--- The arithmetic mean, also where the sum overflows.
function core.mean(values)
  local n = #values
  local mean = core.sum(values) / n
  if abs(mean) < huge then
    return mean
  end
  local scaled = {}
  for i = 1, n do
    scaled[i] = values[i] * 0x1p-64
  end
  return core.sum(scaled) / n * 0x1p64
end

--- The sum of (x - mean x)(y - mean y); the last term takes back what rounding left in the means.
function core.cross_deviation(xs, ys)
  local mean_x, mean_y = core.mean(xs), core.mean(ys)
  local products, dx, dy = {}, {}, {}
  for i = 1, #xs do
    dx[i], dy[i] = xs[i] - mean_x, ys[i] - mean_y
    products[i] = dx[i] * dy[i]
  end
  return core.sum(products) - core.sum(dx) * core.sum(dy) / #xs
end

--- The sample variance; 0 for one value.
function core.variance(values)
  local n = #values
  if n == 1 then
    return 0.0
  end
  local squares = core.cross_deviation(values, values)
  return squares > 0 and squares / (n - 1) or squares ~= squares and huge or 0.0
end

--- The value at the fraction `f` (0 to 1) of sorted values, by linear interpolation.
function core.quantile(sorted, f)
  local position = (#sorted - 1) * f
  local below = min(floor(position), #sorted - 1)
  local low, high = sorted[below + 1], sorted[below + 2]
  local part = position - below
  if part == 0 or not high then
    return low
  elseif abs(high - low) < huge then
    return low + part * (high - low)
  end
  return low * (1 - part) + high * part
end

function M.mean(t)
  local values = core.check.array("mean", "t", t)
  return core.mean(values)
end

function M.variance(t)
  local values = core.check.array("variance", "t", t)
  return (core.check.result("variance", core.variance(values)))
end

function M.stddev(t)
  local values = core.check.array("stddev", "t", t)
  return sqrt((core.check.result("stddev", core.variance(values))))
end

function M.median(t)
  local values = core.check.array("median", "t", t)
  sort(values)
  return core.quantile(values, 0.5)
end

function M.percentile(t, p)
  local values = core.check.array("percentile", "t", t)
  p = core.check.within("percentile", "p", p, 100)
  sort(values)
  return core.quantile(values, p / 100)
end

function M.iqr(t)
  local values = core.check.array("iqr", "t", t)
  sort(values)
  return (core.check.result("iqr", core.quantile(values, 0.75) - core.quantile(values, 0.25)))
end

function M.covariance(xs, ys)
  local left, right = core.check.pairs_of("covariance", xs, ys, 2)
  return (core.check.result("covariance", core.cross_deviation(left, right) / (#left - 1)))
end

--- The values moved to mean 0 and scaled to at most 1; nil when they are all equal.
function core.standardized(values)
  local lowest, highest = values[1], values[1]
  for i = 2, #values do
    local x = values[i]
    lowest, highest = x < lowest and x or lowest, x > highest and x or highest
  end
  if lowest == highest then
    return nil
  end
  local mean, largest, scaled = core.mean(values), 0.0, {}
  local part = highest - lowest < huge and 1 or 0.5 -- the difference of two finite numbers may overflow
  for i = 1, #values do
    scaled[i] = part * values[i] - part * mean
    local size = abs(scaled[i])
    largest = size > largest and size or largest
  end
  for i = 1, #values do
    scaled[i] = scaled[i] / largest
  end
  return scaled
end

--- Pearson's correlation; nil and the name of the array whose values are all equal.
function core.correlation(xs, ys)
  local left, right = core.standardized(xs), core.standardized(ys)
  if not (left and right) then
    return nil, left and "ys" or "xs"
  end
  local spread = sqrt(core.cross_deviation(left, left)) * sqrt(core.cross_deviation(right, right))
  local r = core.cross_deviation(left, right) / spread
  return r > 1 and 1.0 or r < -1 and -1.0 or r
end

function M.correlation(xs, ys)
  local left, right = core.check.pairs_of("correlation", xs, ys, 2)
  local r, constant = core.correlation(left, right)
  if not r then
    core.check.refuse("correlation", constant .. " must not be all one value: the correlation is undefined")
  end
  return r
end

-- The edges of `bins` bins of equal width; around a single value, a range of 1.
local function bin_edges(lowest, highest, bins)
  if lowest == highest then
    lowest, highest = lowest - 0.5, highest + 0.5
  end
  local edges = {}
  for i = 0, bins do
    edges[i + 1] = lowest * ((bins - i) / bins) + highest * (i / bins)
  end
  edges[1], edges[bins + 1] = lowest, highest
  return edges
end

-- The bin whose edges hold x: a first guess by division, then moved to agree with the edges as rounded.
local function bin_of(x, edges, bins)
  local first, last = edges[1], edges[bins + 1]
  local place = (0.5 * x - 0.5 * first) / (0.5 * last - 0.5 * first) * bins
  local bin = place >= 0 and place < bins and floor(place) + 1 or bins
  while bin > 1 and x < edges[bin] do
    bin = bin - 1
  end
  while bin < bins and x >= edges[bin + 1] do
    bin = bin + 1
  end
  return bin
end

function M.histogram(t, bins)
  local values = core.check.array("histogram", "t", t)
  bins = core.check.integer("histogram", "bins", bins, 1)
  sort(values)
  local edges, counts = bin_edges(values[1], values[#values], bins), {}
  for i = 1, bins do
    counts[i] = 0
  end
  for i = 1, #values do
    local bin = bin_of(values[i], edges, bins)
    counts[bin] = counts[bin] + 1
  end
  return { counts = counts, edges = edges }
end

--- e^x of each value over their sum.
function core.softmax(values)
  local highest = values[1]
  for i = 2, #values do
    highest = values[i] > highest and values[i] or highest
  end
  local weights = {}
  for i = 1, #values do
    weights[i] = core.exp(values[i] - highest)
  end
  local sum = core.sum(weights)
  for i = 1, #weights do
    weights[i] = weights[i] / sum
  end
  return weights
end

function M.softmax(t)
  local values = core.check.array("softmax", "t", t)
  return core.softmax(values)
end

-- The smallest value becomes 0, the largest 100; when all are equal, no place is better than the middle.
function M.log_normalize(t)
  local values = core.check.positives("log_normalize", "t", t)
  local lowest, highest = huge, -huge
  for i = 1, #values do
    local x = core.log(values[i])
    values[i] = x
    lowest, highest = x < lowest and x or lowest, x > highest and x or highest
  end
  for i = 1, #values do
    values[i] = highest > lowest and 100 * ((values[i] - lowest) / (highest - lowest)) or 50.0
  end
  return values
end
