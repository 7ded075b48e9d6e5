-- Remembers between runs: how often it ran, what was asked, when it began.

local M = {}

M.meta = {
  name = "run_counter",
  version = "1.0.0",
  description = "Keeps counts and past questions in the state store",
}

local KEEP = 3

function M.run(ctx)
  local now = alc.time()
  local first = alc.state.set_nx("first_run", now)
  local run = alc.state.incr("runs")
  local weight = alc.state.incr("weight", 0.5, 10)

  local history = alc.state.update("history", function(past)
    past[#past + 1] = ctx.task
    while #past > KEEP do
      table.remove(past, 1)
    end
    return past
  end, {})

  if alc.state.has("note") then
    alc.state.delete("note")
  else
    alc.state.set("note", { from = run, text = "gone after the next run" })
  end

  local answer = alc.llm("This is question " .. run .. ". " .. ctx.task)
  ctx.result = {
    first = first,
    run = run,
    weight = weight,
    history = history,
    keys = alc.state.keys(),
    noted = alc.state.get("note", alc.null),
    began_before = alc.state.get("first_run") <= now,
    answer = answer,
  }
  return ctx
end

return M
