-- Ranks, rank correlations, and measures of rankings.

local M, core = ...

local sqrt, sort, min = math.sqrt, table.sort, math.min
local type, math_type = type, math.type

--- Ranks from 1, equal values sharing the mean of theirs.
function core.ranks(values)
  local order, ranks, n = {}, {}, #values
  for i = 1, n do
    order[i], ranks[i] = i, 0.0
  end
  sort(order, function(i, j)
    return values[i] < values[j]
  end)
  local first = 1
  for i = 2, n + 1 do
    if i > n or values[order[i]] ~= values[order[first]] then
      for k = first, i - 1 do
        ranks[order[k]] = (first + i - 1) / 2
      end
      first = i
    end
  end
  return ranks
end

function M.rank(t)
  local values = core.check.array("rank", "t", t)
  return core.ranks(values)
end

function M.spearman_correlation(xs, ys)
  local left, right = core.check.pairs_of("spearman_correlation", xs, ys, 2)
  local r, constant = core.correlation(core.ranks(left), core.ranks(right))
  if not r then
    core.check.refuse("spearman_correlation", constant .. " must not be all one value: the correlation is undefined")
  end
  return r
end

-- Sorts values[first..last] by merging; returns the number of pairs that stood in the wrong order.
local function count_inversions(values, spare, first, last)
  if first >= last then
    return 0
  end
  local middle = (first + last) // 2
  local count = count_inversions(values, spare, first, middle) + count_inversions(values, spare, middle + 1, last)
  local i, j = first, middle + 1
  for k = first, last do
    if j > last or (i <= middle and values[i] <= values[j]) then
      spare[k], i = values[i], i + 1
    else
      spare[k], j = values[j], j + 1
      count = count + (middle - i + 1)
    end
  end
  for k = first, last do
    values[k] = spare[k]
  end
  return count
end

-- The number of pairs of equal neighbours in an order, by `same(i, j)` on positions.
local function tied_pairs(n, same)
  local count, run = 0, 0
  for i = 2, n do
    run = same(i - 1, i) and run + 1 or 0
    count = count + run
  end
  return count
end

-- Knight's algorithm (1966): n log n where comparing all pairs is n^2. nil and a name when one is constant.
local function kendall(xs, ys)
  local order, n = {}, #xs
  for i = 1, n do
    order[i] = i
  end
  sort(order, function(i, j)
    return xs[i] < xs[j] or (xs[i] == xs[j] and ys[i] < ys[j])
  end)
  local sorted = {}
  for i = 1, n do
    sorted[i] = ys[order[i]]
  end
  local tied_x = tied_pairs(n, function(i, j)
    return xs[order[i]] == xs[order[j]]
  end)
  local tied_both = tied_pairs(n, function(i, j)
    return xs[order[i]] == xs[order[j]] and ys[order[i]] == ys[order[j]]
  end)
  local discordant = count_inversions(sorted, {}, 1, n)
  local tied_y = tied_pairs(n, function(i, j)
    return sorted[i] == sorted[j]
  end)
  local pairs_in_all = n * (n - 1) // 2
  if tied_x == pairs_in_all or tied_y == pairs_in_all then
    return nil, tied_x == pairs_in_all and "xs" or "ys"
  end
  local agreement = pairs_in_all - tied_x - tied_y + tied_both - 2 * discordant
  return agreement / (sqrt(pairs_in_all - tied_x) * sqrt(pairs_in_all - tied_y))
end

function M.kendall_tau(xs, ys)
  local left, right = core.check.pairs_of("kendall_tau", xs, ys, 2)
  local tau, constant = kendall(left, right)
  if not tau then
    core.check.refuse("kendall_tau", constant .. " must not be all one value: tau is undefined")
  end
  return tau > 1 and 1.0 or tau < -1 and -1.0 or tau
end

-- Gains are linear, discounts 1/log2(place + 1); ln 2 cancels in the ratio of two of these.
local function discounted_gain(relevance, k)
  local parts = {}
  for i = 1, min(k, #relevance) do
    parts[i] = relevance[i] / core.log(i + 1.0)
  end
  return core.sum(parts)
end

function M.ndcg(relevance, k)
  local gains = core.check.weights("ndcg", "relevance", relevance)
  k = core.check.integer("ndcg", "k", k, 1)
  local gain = discounted_gain(gains, k)
  sort(gains, function(x, y)
    return x > y
  end)
  local ideal = core.check.result("ndcg", discounted_gain(gains, k))
  return ideal > 0 and gain / ideal or 0.0 -- nothing relevant: no order is a good one
end

-- 1/place of the first hit of a list of relevance marks (true, or a number above 0); 0 without one.
local function first_hit(marks)
  for i = 1, #marks do
    local mark = marks[i]
    if mark == true or (type(mark) == "number" and mark > 0) then
      return 1 / i
    end
  end
  return 0.0
end

local function reciprocal_rank(entry)
  if type(entry) == "table" then
    return first_hit(entry)
  elseif math_type(entry) and entry == entry // 1 and entry >= 0 then
    return entry == 0 and 0.0 or 1 / entry
  end
  return nil
end

-- A ranking is the place of the first relevant item, 0 for none found, or the list of marks itself.
function M.mrr(rankings)
  core.check.list("mrr", "rankings", rankings, 1)
  local parts = {}
  for i = 1, #rankings do
    parts[i] = reciprocal_rank(rankings[i])
    if not parts[i] then
      local wanted = "] must be a rank (an integer from 1, or 0 for none) or a list of marks"
      core.check.refuse("mrr", "rankings[" .. i .. wanted)
    end
  end
  return core.mean(parts)
end
