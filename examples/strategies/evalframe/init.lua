-- A small stand-in for the package of that name, enough for alc.eval: exact answers to a list of cases.

local M = {}

M.meta = {
  name = "evalframe",
  version = "0.0.1",
  description = "A stand-in: runs a strategy on each case of a scenario and counts exact answers",
}

function M.eval(scenario, strategy, opts)
  local rows = {}
  for i, case in ipairs(scenario.cases) do
    local ctx = { task = case.task }
    for key, value in pairs(opts.strategy_opts or {}) do
      ctx[key] = value
    end
    local answer = require(strategy).run(ctx).result.answer
    rows[i] = { task = case.task, answer = answer, passed = answer == case.expected }
  end
  local passed = alc.filter(rows, function(row)
    return row.passed
  end)
  return { strategy = strategy, pass_rate = #passed / #rows, rows = rows }
end

return M
