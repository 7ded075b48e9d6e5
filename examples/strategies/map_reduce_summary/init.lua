-- A long text in pieces: each is summed up on its own, then the summaries are joined, two by two.

local M = {}

M.meta = {
  name = "map_reduce_summary",
  version = "1.0.0",
  description = "Sums up a text that is too long for one question",
}

M.defaults = { mode = "lines", size = 3, overlap = 0 }

function M.run(ctx)
  local opts = alc.tuning(M.defaults, ctx, { prefix = ctx.chunking })
  local pieces = alc.chunk(ctx.text, opts)
  if #pieces == 0 then
    ctx.result = { summary = "", pieces = 0 }
    return ctx
  end

  local summaries = alc.parallel(pieces, function(piece, i)
    return { prompt = "Sum up part " .. i .. " of " .. #pieces .. " in one sentence:\n\n" .. piece, max_tokens = 150 }
  end, {
    post_fn = function(answer)
      return (answer:gsub("^%s+", ""):gsub("%s+$", ""))
    end,
  })

  local summary = alc.reduce(summaries, function(so_far, next_one, i)
    alc.progress(i, #summaries, "joining")
    return alc.llm("Join these into one sentence:\n\n" .. so_far .. "\n\n" .. next_one)
  end)
  ctx.result = { summary = summary, pieces = #pieces, lengths = alc.map(pieces, utf8.len) }
  return ctx
end

return M
