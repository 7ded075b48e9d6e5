-- Numbers in answers: alc.parse_score, alc.parse_number.

local K = ...
local alc = K.alc
local match, find, sub, type, tonumber, floor = string.match, string.find, string.sub, type, tonumber, math.floor

function alc.parse_score(s, default)
  local text = K.as_text(s)
  local digits = text and match(text, "%d+")
  if not digits then
    if default == nil then
      return 5
    end
    return default
  end
  local score = tonumber(digits)
  if score < 1 then
    return 1
  elseif score > 10 then
    return 10
  end
  return floor(score)
end

-- With a pattern, what it captures; else the first -?digits[.digits].
function alc.parse_number(s, pattern)
  if type(s) ~= "string" then
    return nil
  elseif type(pattern) == "string" then
    return tonumber((match(s, pattern)))
  end
  local first, last = find(s, "%-?%d+")
  if not first then
    return nil
  end
  local _, fraction = find(s, "^%.%d+", last + 1)
  return tonumber(sub(s, first, fraction or last))
end
