-- Tries variants of a prompt and keeps a card of each: what was tried, how it did, where it came from.

local M = {}

M.meta = {
  name = "card_keeper",
  version = "1.0.0",
  description = "Keeps a record of each variant that was tried, with its samples and its origin",
}

local PKG = "card_keeper"

local function measure(variant, cases)
  local rows = {}
  for i, case in ipairs(cases) do
    local answer = alc.llm(variant .. "\n\n" .. case.question)
    rows[i] = { case = case.question, answer = answer, passed = answer == case.answer }
  end
  local passed = alc.filter(rows, function(row)
    return row.passed
  end)
  return rows, #passed / #rows
end

local function keep(variant, rows, rate, parent)
  local card = alc.card.create({
    pkg = { name = PKG },
    scenario = { name = "small sums" },
    strategy_params = { variant = variant },
    stats = { pass_rate = rate, n = #rows },
    metadata = parent and { prior_card_id = parent, prior_relation = "variant_of" } or nil,
  })
  local written = alc.card.write_samples(card.card_id, rows)
  alc.log("info", "kept " .. written.count .. " rows below " .. alc._dirs.cards)
  return card.card_id
end

function M.run(ctx)
  local ids, parent = {}, nil
  for i, variant in ipairs(ctx.variants) do
    alc.progress(i, #ctx.variants, variant)
    local rows, rate = measure(variant, ctx.cases)
    parent = keep(variant, rows, rate, parent)
    ids[i] = parent
  end

  local best = alc.card.find({
    pkg = PKG,
    where = { scenario = { name = "small sums" }, stats = { n = { gte = 1 }, pass_rate = { exists = true } } },
    order_by = { "-stats.pass_rate", "created_at" },
    limit = 1,
  })[1]
  alc.card.alias_set("best_" .. PKG, best.card_id, { pkg = PKG, note = "highest pass rate" })
  local reviewed = alc.card.append(best.card_id, { review = { verdict = "accepted" } })

  local pinned = alc.card.get_by_alias("best_" .. PKG)
  local failures = alc.card.read_samples(ids[1], { where = { passed = false }, limit = 5 })
  local tree = alc.card.lineage({ card_id = ids[#ids], direction = "up", relation_filter = { "variant_of" } })

  ctx.result = {
    best = alc.card.get(best.card_id).strategy_params.variant,
    pass_rate = best.pass_rate,
    pinned = pinned.card_id == best.card_id,
    verdict = reviewed.review.verdict,
    aliases = #alc.card.alias_list({ pkg = PKG }),
    cards = #alc.card.list({ pkg = PKG }),
    failures_of_first = alc.map(failures, function(row)
      return row.case
    end),
    generations = #tree.nodes,
    oldest = tree.nodes[#tree.nodes].depth,
  }
  return ctx
end

return M
