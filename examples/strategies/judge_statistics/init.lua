-- Two judges score the same texts: how good are the texts, do the judges agree, and is the difference between two
-- groups of texts more than chance? The questions are asked; the rest is alc.math.

local M = {}

M.meta = {
  name = "judge_statistics",
  version = "1.0.0",
  description = "Scores texts with two judges and says how far the scores can be trusted",
}

local m = alc.math

local function scores_of(judge, texts)
  return alc.parallel(texts, function(text)
    return "You are judge " .. judge .. ". Score this text from 1 to 10.\n\n" .. text
  end, { system = "Answer with a number.", max_tokens = 10, post_fn = function(answer)
    return alc.parse_score(answer)
  end })
end

local function described(scores)
  return {
    mean = m.mean(scores),
    median = m.median(scores),
    spread = m.stddev(scores),
    upper_quartile = m.percentile(scores, 75),
    iqr = m.iqr(scores),
    histogram = m.histogram(scores, 3).counts,
    smooth = m.ewma(scores, 0.5),
  }
end

local function agreement(first, second)
  return {
    linear = m.correlation(first, second),
    by_rank = m.spearman_correlation(first, second),
    by_pairs = m.kendall_tau(first, second),
    divergence = m.js_divergence(m.softmax(first), m.softmax(second)),
  }
end

-- The chance that a shuffled split differs as much as the real one.
local function permutation_test(rng, scores, size, rounds)
  local function gap(list)
    local head, tail = {}, {}
    for i, score in ipairs(list) do
      local part = i <= size and head or tail
      part[#part + 1] = score
    end
    return math.abs(m.mean(head) - m.mean(tail))
  end
  local real, as_large = gap(scores), 0
  local copy = table.move(scores, 1, #scores, 1, {})
  for _ = 1, rounds do
    if gap(m.shuffle(rng, copy)) >= real then
      as_large = as_large + 1
    end
  end
  return as_large / rounds
end

function M.run(ctx)
  local rng = m.rng_create(ctx.seed or 1)
  local first, second = scores_of("A", ctx.texts), scores_of("B", ctx.texts)
  local both = alc.map(first, function(score, i)
    return (score + second[i]) / 2
  end)

  local half = #both // 2
  local old = table.move(both, 1, half, 1, {})
  local new = table.move(both, half + 1, #both, 1, {})
  local welch = m.welch_t_test(old, new)
  local good = alc.filter(both, function(score)
    return score >= 6
  end)

  local resampled = {}
  for i = 1, 50 do
    resampled[i] = m.mean(m.sample_with_replacement(rng, both, #both))
  end

  ctx.result = {
    scores = both,
    described = described(both),
    agreement = agreement(first, second),
    better_by = m.mean(new) - m.mean(old),
    p_value = welch.p_value,
    p_shuffled = permutation_test(rng, both, half, 200),
    good_share = m.wilson_ci(#good, #both, 0.9),
    mean_between = { m.percentile(resampled, 5), m.percentile(resampled, 95) },
    surprise = m.entropy(m.softmax(both)),
    significant = m.normal_cdf(math.abs(welch.t_stat), 0, 1) > 0.975,
  }
  return ctx
end

return M
