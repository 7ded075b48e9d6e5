-- alc.budget_remaining, alc.budget_check.

local K = ...
local alc, host = K.alc, K.host

function alc.budget_remaining()
  local left = host("budget.remaining", 0)
  return left
end

-- True without a budget; tokens do not count here.
function alc.budget_check()
  local left = host("budget.remaining", 0)
  if left == nil then
    return true
  end
  return not (left.llm_calls and left.llm_calls <= 0 or left.elapsed_ms and left.elapsed_ms <= 0)
end
