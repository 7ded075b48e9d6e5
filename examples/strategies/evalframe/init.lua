-- A small stand-in for the package of that name, with as much of its interface as alc.eval uses.

local M = {}

M.meta = {
  name = "evalframe",
  version = "0.1.0",
  description = "A stand-in: runs a strategy on each case of a scenario and grades its answers",
}

M.graders = {
  exact_match = function(response, case)
    return response.text == case.expected
  end,
  contains = function(response, case)
    return response.text:find(case.expected, 1, true) ~= nil
  end,
}

-- A grader, and what makes a score from 0 to 1 of what it says.
function M.bind(parts)
  local scorer = parts[2] or function(passed)
    return passed and 1 or 0
  end
  return {
    grade = function(response, case)
      return scorer(parts[1](response, case))
    end,
  }
end

M.providers = {}

-- A function from an input to what the strategy answers.
function M.providers.algocline(what)
  return function(input)
    local ctx = { task = input }
    for key, value in pairs(what.opts or {}) do
      ctx[key] = value
    end
    local result = require(what.strategy).run(ctx).result
    return { text = type(result) == "table" and result.answer or tostring(result) }
  end
end

local function row_of(suite, case)
  local response = suite.provider(case.input)
  local sum = 0
  for _, binding in ipairs(suite) do
    sum = sum + binding.grade(response, case)
  end
  local score = sum / #suite
  return { input = case.input, text = response.text, score = score, passed = score >= 1 }
end

function M.suite(name)
  return function(suite)
    function suite.run()
      local rows = alc.map(suite.cases, function(case)
        return row_of(suite, case)
      end)
      local passed = alc.filter(rows, function(row)
        return row.passed
      end)
      local report = { name = name, results = rows }
      report.aggregated = { total = #rows, passed = #passed, pass_rate = #passed / #rows }
      function report.to_table()
        return { name = name, results = rows, aggregated = report.aggregated }
      end
      return report
    end
    return suite
  end
end

return M
