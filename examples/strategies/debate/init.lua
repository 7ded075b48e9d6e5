-- Two sides argue in turns, a judge decides.

local M = {}

M.meta = {
  name = "debate",
  version = "1.0.0",
  description = "Two sides argue, a judge decides between them",
}

M.defaults = { sides = { "For", "Against" }, rounds = 2 }

local function record_of(speeches)
  return alc.reduce(speeches, function(text, speech)
    return text .. "\n\n" .. speech.side .. ": " .. speech.text
  end, "The debate so far:")
end

function M.run(ctx)
  local opts = alc.tuning(M.defaults, ctx)
  local speeches = {}

  for round = 1, opts.rounds do
    local heard = record_of(speeches)
    local prompts = alc.map(opts.sides, function(side)
      return {
        prompt = "Motion: " .. ctx.task .. "\n\n" .. heard .. "\n\nSpeak for the side '" .. side .. "', round " .. round .. ".",
        system = "You argue in at most three sentences.",
        max_tokens = 200,
      }
    end)
    for i, text in ipairs(alc.llm_batch(prompts)) do
      speeches[#speeches + 1] = { side = opts.sides[i], text = text }
    end
    alc.progress(round, opts.rounds, "round " .. round .. " is over")
  end

  local verdict = alc.llm(
    record_of(speeches) .. "\n\nWhich side has convinced you? End with its name: " .. table.concat(opts.sides, " or ") .. "."
  )
  local winner = alc.match_enum(verdict, opts.sides, { threshold = 0.8 })
  if not winner then
    alc.log("warn", "the judge named no side")
  end

  local own = alc.filter(speeches, function(speech)
    return speech.side == winner
  end)
  ctx.result = { winner = winner, verdict = verdict, speeches = #speeches, winning_speeches = #own }
  return ctx
end

return M
