-- Asks back when the task is vague, estimates what it would take, and stays inside its budget.

local M = {}

M.meta = {
  name = "clarify_first",
  version = "1.0.0",
  description = "Asks back before it works on a vague task",
}

function M.run(ctx)
  local vague = alc.match_bool(alc.llm("Is this task too vague to begin with? Answer yes or no.\n\n" .. ctx.task))
  local task = ctx.task
  if vague then
    task = task .. "\n\nMore exactly: " .. alc.specify("Ask the user what is meant, and give the answer.\n\n" .. ctx.task)
  end

  local estimate = alc.llm("How many steps will this take?\n\n" .. task)
  local steps = math.min(alc.parse_number(estimate) or 1, 5)
  local plan = alc.json_extract(alc.llm("Plan " .. steps .. " steps as a JSON array of strings.\n\n" .. task)) or { task }

  local done = {}
  for i, step in ipairs(plan) do
    local left = alc.budget_remaining()
    if left and left.llm_calls and left.llm_calls < 1 then
      print("out of budget before step", i)
      break
    end
    done[i] = alc.llm_safe("Do this step and say what came of it.\n\n" .. step, { max_tokens = 200 }, "(not done)")
  end

  ctx.result = { vague = vague, steps = steps, done = done, copy = alc.json_decode(alc.json_encode(plan)) }
  return ctx
end

return M
