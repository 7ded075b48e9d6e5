-- Candidates meet in pairs; who wins most is best. A pair that has met is not asked again.

local M = {}

M.meta = {
  name = "ranking_tournament",
  version = "1.0.0",
  description = "Ranks candidates by comparisons in pairs",
}

local function compare(task, a, b)
  local first, second = a.text, b.text
  if first > second then
    first, second = second, first -- the same question whoever comes first, so that the cache knows it
  end
  local verdict = alc.cache(
    "Task: " .. task .. "\n\nA: " .. first .. "\nB: " .. second .. "\n\nWhich is better, A or B?",
    { system = "Answer with A or B.", max_tokens = 10 }
  )
  local letter = alc.match_enum(verdict, { "A", "B" })
  local winner = letter == "B" and second or first
  return winner == a.text and a or b
end

function M.run(ctx)
  alc.cache_clear()
  local rng = alc.math.rng_create(ctx.seed or 7)
  local players = alc.map(ctx.candidates, function(text)
    return { text = text, wins = 0 }
  end)
  alc.math.shuffle(rng, players)

  for _ = 1, ctx.rounds or 2 do
    for i = 1, #players do
      for j = i + 1, #players do
        local winner = compare(ctx.task, players[i], players[j])
        winner.wins = winner.wins + 1
      end
    end
  end

  table.sort(players, function(a, b)
    return a.wins > b.wins or (a.wins == b.wins and a.text < b.text)
  end)
  local cache = alc.cache_info()
  alc.log("debug", "comparisons asked: " .. cache.misses .. ", remembered: " .. cache.hits)
  local wins = alc.map(players, function(player)
    return player.wins
  end)
  ctx.result = {
    best = players[1].text,
    order = alc.map(players, function(player)
      return player.text
    end),
    ranks = alc.math.rank(wins),
    asked = cache.misses,
    remembered = cache.hits,
  }
  return ctx
end

return M
