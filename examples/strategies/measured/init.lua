-- How good is another strategy? Runs it on a scenario and keeps the report as a card.

local M = {}

M.meta = {
  name = "measured",
  version = "1.0.0",
  description = "Measures another strategy on cases with known answers",
}

function M.run(ctx)
  local report = alc.eval({ name = "capitals", cases = ctx.cases }, ctx.strategy or "self_consistency", {
    strategy_opts = { samples = 3 },
    auto_card = true,
    card_pkg = "measured",
  })
  local card = alc.card.get(report.card_id)
  ctx.result = { pass_rate = report.pass_rate, rows = report.rows, kept = card ~= nil and card.pkg.name }
  return ctx
end

return M
