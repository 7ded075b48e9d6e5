-- Ask the same question several times and keep the answer that comes most often.

local M = {}

M.meta = {
  name = "self_consistency",
  version = "1.0.0",
  description = "Several independent answers, decided by majority",
}

M.defaults = { samples = 5, instruction = "Answer with one word or number.", max_tokens = 200 }

function M.run(ctx)
  local opts = alc.tuning(M.defaults, ctx)
  local numbers = {}
  for i = 1, opts.samples do
    numbers[i] = i
  end

  local answers = alc.parallel(numbers, function(_, i)
    return "Attempt " .. i .. ". " .. opts.instruction .. "\n\n" .. ctx.task
  end, { system = "You solve the task step by step, in silence.", max_tokens = opts.max_tokens })

  local vote = alc.vote(answers)
  alc.stats.record("agreement", vote.count / vote.total)
  alc.log("info", "winner has " .. vote.count .. " of " .. vote.total .. " votes")

  ctx.result = {
    answer = vote.winner,
    votes = vote.count,
    samples = vote.total,
    agreement = alc.stats.get("agreement"),
    question = alc.fingerprint(ctx.task),
  }
  return ctx
end

return M
