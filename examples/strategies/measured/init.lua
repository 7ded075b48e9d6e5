-- How good is another strategy? Runs it on a scenario and keeps the report as a card.

local M = {}

M.meta = {
  name = "measured",
  version = "1.1.0",
  description = "Measures another strategy on cases with known answers",
}

function M.run(ctx)
  local scenario = { name = "capitals", graders = { "exact_match" }, cases = ctx.cases }
  local report = alc.eval(scenario, ctx.strategy or "self_consistency", {
    strategy_opts = { samples = 3 },
    auto_card = true,
    card_pkg = "measured",
  })
  local card = alc.card.get(report.card_id)
  ctx.result = {
    pass_rate = report.aggregated.pass_rate,
    rows = report.results,
    kept = card ~= nil and card.pkg.name,
    samples = #alc.card.read_samples(report.card_id),
  }
  return ctx
end

return M
