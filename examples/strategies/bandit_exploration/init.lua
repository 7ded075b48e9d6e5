-- Which of several prompts works best? Thompson sampling; what was learned is kept for the next run.

local M = {}

M.meta = {
  name = "bandit_exploration",
  version = "1.0.0",
  description = "Finds the best of several prompts by Thompson sampling, over many runs",
}

M.defaults = { pulls = 4, seed = 6, key = "bandit" }

local function choose(rng, arms)
  local best, best_draw
  for i, arm in ipairs(arms) do
    local draw = alc.math.beta_sample(rng, 1 + arm.good, 1 + arm.bad)
    if not best or draw > best_draw then
      best, best_draw = i, draw
    end
  end
  return best
end

function M.run(ctx)
  local opts = alc.tuning(M.defaults, ctx.bandit or {})
  local fresh = alc.map(ctx.prompts, function()
    return { good = 0, bad = 0 }
  end)
  local arms = alc.state.get(opts.key, fresh)
  local rng = alc.math.rng_create(opts.seed)

  for pull = 1, opts.pulls do
    local chosen = choose(rng, arms)
    local answer = alc.llm(ctx.prompts[chosen] .. "\n\n" .. ctx.task)
    local liked = alc.match_bool(alc.llm("Is this answer acceptable? Answer yes or no.\n\n" .. answer))
    arms = alc.state.update(opts.key, function(stored)
      local arm = stored[chosen]
      local field = liked and "good" or "bad"
      arm[field] = arm[field] + 1
      return stored
    end, arms)
    alc.stats.record("pull_" .. pull, chosen)
  end

  ctx.result = alc.map(arms, function(arm, i)
    local tries = arm.good + arm.bad
    return {
      prompt = ctx.prompts[i],
      good = arm.good,
      tries = tries,
      expected = alc.math.beta_mean(1 + arm.good, 1 + arm.bad),
      interval = tries > 0 and alc.math.wilson_ci(arm.good, tries, 0.95) or alc.null,
    }
  end)
  return ctx
end

return M
