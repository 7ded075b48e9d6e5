-- Write, have it judged, write again, until the judge is content or the budget is used up.

local M = {}

M.meta = {
  name = "reflection",
  version = "1.0.0",
  description = "Improves an answer until a judge gives it a good score",
}

M.defaults = { good_enough = 8, max_rounds = 3 }

local function judge(task, answer)
  local verdict = alc.llm(
    "Task:\n" .. task .. "\n\nAnswer:\n" .. answer .. "\n\nGive a score from 1 to 10, then one sentence of advice.",
    { system = "You are a strict judge.", max_tokens = 120, temperature = 0 }
  )
  return alc.parse_score(verdict), verdict
end

function M.run(ctx)
  local opts = alc.tuning(M.defaults, ctx)
  local answer = alc.llm(ctx.task)
  local scores = {}

  for round = 1, opts.max_rounds do
    alc.progress(round, opts.max_rounds, "judging")
    local score, advice = judge(ctx.task, answer)
    scores[round] = score
    if score >= opts.good_enough then
      break
    end
    if not alc.budget_check() then
      alc.log("warn", "no budget for another round")
      break
    end
    answer = alc.llm("Task:\n" .. ctx.task .. "\n\nImprove this answer.\n\nAnswer:\n" .. answer .. "\n\nAdvice:\n" .. advice)
  end

  ctx.result = { answer = answer, scores = scores, rounds = #scores }
  return ctx
end

return M
