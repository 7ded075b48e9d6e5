-- One strategy after the other: what the first found is the task of the next.

local M = {}

M.meta = {
  name = "relay",
  version = "1.0.0",
  description = "Strategies one after the other, each given what the one before found",
}

local function shorten(ctx)
  ctx.result = alc.llm("In five words:\n\n" .. ctx.task)
  return ctx
end

function M.run(ctx)
  local final = alc.pipe({ "draft_and_critique", shorten, "no_such_strategy" }, { task = ctx.task, views = { "clarity" } }, {
    on_error = "skip",
    on_stage = function(i, name)
      alc.log("info", "stage " .. i .. " (" .. name .. ") is done")
    end,
  })
  ctx.result = {
    answer = final.result,
    stages = alc.map(final.pipe_history, function(stage)
      return { strategy = stage.strategy, ok = stage.error == nil }
    end),
  }
  return ctx
end

return M
