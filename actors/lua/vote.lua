-- alc.vote: the most frequent answer, trimmed; ties go to the one seen first.

local K = ...
local type, error = type, error

function K.alc.vote(answers)
  if type(answers) ~= "table" then
    error("alc.vote: answers must be an array, got " .. K.kind(answers), 2)
  end
  local counts, order, total = {}, {}, 0
  local answer = answers[1]
  while answer ~= nil do
    local text = K.trim(K.tostring(answer))
    if not counts[text] then
      counts[text] = 0
      order[#order + 1] = text
    end
    counts[text] = counts[text] + 1
    total = total + 1
    answer = answers[total + 1]
  end
  local winner
  for i = 1, #order do
    if winner == nil or counts[order[i]] > counts[winner] then
      winner = order[i]
    end
  end
  return { winner = winner, count = winner and counts[winner] or 0, total = total }
end
