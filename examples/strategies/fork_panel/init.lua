-- Several strategies work on the same task side by side, each in a process of its own; a judge picks an answer.

local M = {}

M.meta = {
  name = "fork_panel",
  version = "1.0.0",
  description = "Runs other strategies side by side and picks the best of their answers",
}

M.defaults = { panel = { "self_consistency", "reflection", "no_such_strategy" } }

function M.run(ctx)
  local opts = alc.tuning(M.defaults, ctx)
  local outcomes = alc.fork(opts.panel, { task = ctx.task, samples = 3, max_rounds = 1 }, { on_error = "skip" })

  local answers = {}
  for _, outcome in ipairs(outcomes) do
    if outcome.ok then
      answers[#answers + 1] = { strategy = outcome.strategy, answer = outcome.result.result.answer }
    else
      alc.log("warn", outcome.strategy .. " failed")
    end
  end
  if #answers == 0 then
    error("no strategy of the panel gave an answer")
  end

  local lines = alc.map(answers, function(each)
    return each.strategy .. ": " .. each.answer
  end)
  local names = alc.map(answers, function(each)
    return each.strategy
  end)
  local verdict = alc.llm("Task: " .. ctx.task .. "\n\n" .. table.concat(lines, "\n") .. "\n\nWhose answer is best? Give its name.")
  local best = alc.match_enum(verdict, names) or names[1]
  local chosen = alc.filter(answers, function(each)
    return each.strategy == best
  end)[1]

  ctx.result = { answer = chosen.answer, from = best, answered = #answers, asked = #outcomes }
  return ctx
end

return M
