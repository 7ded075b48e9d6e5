-- Series in time.

local M, core = ...

-- One mean for each full window: #t - window + 1 of them. Each is summed anew, so that errors do not run on.
function M.moving_average(t, window)
  local values = core.check.array("moving_average", "t", t)
  window = core.check.integer("moving_average", "window", window, 1, #values)
  local means, part = {}, {}
  for i = 1, #values - window + 1 do
    for k = 1, window do
      part[k] = values[i + k - 1]
    end
    means[i] = core.mean(part)
  end
  return means
end

-- Starts at the first value; each later one is alpha of the value and the rest of what came before.
function M.ewma(t, alpha)
  local values = core.check.array("ewma", "t", t)
  alpha = core.check.within("ewma", "alpha", alpha)
  if alpha == 0 then
    core.check.refuse("ewma", "alpha must be above 0 and at most 1, got 0")
  end
  local smooth = values[1]
  for i = 2, #values do
    smooth = alpha * values[i] + (1 - alpha) * smooth
    values[i] = smooth
  end
  return values
end

-- The usual (biased) estimate: both sums are over deviations from the mean of the whole series.
function M.autocorrelation(t, lag)
  local values = core.check.array("autocorrelation", "t", t, 2)
  lag = core.check.integer("autocorrelation", "lag", lag, 0, #values - 1)
  local scaled = core.standardized(values)
  if not scaled then
    core.check.refuse("autocorrelation", "t must not be all one value: the autocorrelation is undefined")
  end
  local squares, products = {}, {}
  for i = 1, #scaled do
    squares[i] = scaled[i] * scaled[i]
  end
  for i = 1, #scaled - lag do
    products[i] = scaled[i] * scaled[i + lag]
  end
  return core.sum(products) / core.sum(squares)
end
