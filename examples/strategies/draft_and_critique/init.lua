-- A draft, critiques from several sides in one batch, a revision.

local M = {}

M.meta = {
  name = "draft_and_critique",
  version = "1.0.0",
  description = "A draft, critiques asked all at once, a revision",
}

M.defaults = { views = { "correctness", "clarity", "brevity" } }

function M.run(ctx)
  local opts = alc.tuning(M.defaults, ctx)

  alc.progress(1, 3, "drafting")
  local draft = alc.llm("Write one short paragraph. Task: " .. ctx.task, { system = "You write plainly." })

  alc.progress(2, 3, "asking for critiques")
  local critiques = alc.llm_batch(alc.map(opts.views, function(view)
    return { prompt = "Judge the " .. view .. " of this text in one sentence:\n\n" .. draft }
  end))

  alc.progress(3, 3, "revising")
  local advice = alc.map(critiques, function(critique, i)
    return "- " .. opts.views[i] .. ": " .. critique
  end)
  local final = alc.llm("Revise the text.\n\nText:\n" .. draft .. "\n\nAdvice:\n" .. table.concat(advice, "\n"))

  ctx.result = { draft = draft, critiques = critiques, final = final }
  return ctx
end

return M
