-- A draft; questions that would show its errors; answers to them on their own; a draft corrected by them.

local M = {}

M.meta = {
  name = "chain_of_verification",
  version = "1.0.0",
  description = "Checks the claims of a draft one by one and corrects it",
}

function M.run(ctx)
  local draft = alc.llm(ctx.task)

  local plan = alc.llm_json(
    'List the claims of this text as JSON, {"claims": ["..."]}, at most four.\n\n' .. draft,
    { max_tokens = 300 }
  )
  local claims = plan and plan.claims or {}
  if #claims == 0 then
    alc.log("warn", "no claims were found; the draft stays as it is")
    ctx.result = { answer = draft, checked = 0, wrong = {} }
    return ctx
  end

  local checked = alc.map(claims, function(claim)
    local verdict = alc.ground("Is this true? Begin with yes or no.\n\n" .. claim)
    return { claim = claim, holds = alc.match_bool(verdict), why = verdict }
  end)
  local wrong = alc.filter(checked, function(each)
    return each.holds == false
  end)

  local answer = draft
  if #wrong > 0 then
    answer = alc.llm("Correct the text.\n\nText:\n" .. draft .. "\n\nWrong claims, as JSON:\n" .. alc.json_encode(wrong))
  end
  ctx.result = {
    answer = answer,
    checked = #checked,
    wrong = alc.map(wrong, function(each)
      return each.claim
    end),
  }
  return ctx
end

return M
