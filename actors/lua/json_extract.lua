-- alc.json_extract: the first table that a text holds as JSON.
--
-- Tried in order: the whole text, each fenced block, each balanced {}, each balanced []. Brackets are paired in one
-- pass that knows strings, and in one that does not (prose has lone quotes). What was paired is decoded from the
-- outside in, for as long as that has cost less than a few readings of the text: the whole is linear.

local K = ...
local find, sub, byte, match, type = string.find, string.sub, string.byte, string.match, type

local READINGS = 4 -- how often the text may be read by attempts at nested pairs; arbitrary

local function table_in(text)
  local value = K.decode(text)
  if type(value) == "table" then
    return value
  end
  return nil
end

local function fenced(s)
  local at = 1
  while true do
    local _, open = find(s, "```", at, true)
    if not open then
      return nil
    end
    local close, stop = find(s, "```", open + 1, true)
    local block = sub(s, open + 1, (close or #s + 1) - 1)
    local value = table_in(match(block, "^[%w_+-]*(.*)$"))
    if value or not close then
      return value
    end
    at = stop + 1
  end
end

-- The pairs of `opening` and its partner: a list of {first, last, pairs inside}, what was never closed left out.
local function paired(s, opening, closing, set, knows_strings)
  local stack, depth, at = { { inside = {} } }, 1, 1
  while true do
    local i = find(s, set, at)
    if not i then
      break
    end
    local c = byte(s, i)
    at = i + 1
    if c == opening then
      depth = depth + 1
      stack[depth] = { first = i, inside = {} }
    elseif c == closing then
      if depth > 1 then
        local pair = stack[depth]
        pair.last = i
        depth = depth - 1
        local list = stack[depth].inside
        list[#list + 1] = pair
      end
    elseif knows_strings and depth > 1 then
      local stop = find(s, '["\\\n]', at)
      while stop and byte(s, stop) == 92 do
        stop = find(s, '["\\\n]', stop + 2)
      end
      at = (stop or #s) + 1
    end
  end
  for d = depth, 2, -1 do
    local inside, list = stack[d].inside, stack[d - 1].inside
    for i = 1, #inside do
      list[#list + 1] = inside[i]
    end
  end
  return stack[1].inside
end

-- Decodes the pairs in order, those inside a pair after the pair itself. Not recursive: a text can nest deeply.
local function first_of(s, pairs_found, budget)
  local todo, n = {}, 0
  local function push(list)
    for i = #list, 1, -1 do
      n = n + 1
      todo[n] = list[i]
    end
  end
  push(pairs_found)
  while n > 0 and budget > 0 do
    local pair = todo[n]
    todo[n] = nil
    n = n - 1
    budget = budget - (pair.last - pair.first + 1)
    local value = table_in(sub(s, pair.first, pair.last))
    if value then
      return value
    end
    push(pair.inside)
  end
  return nil
end

local function balanced(s, opening, closing, set)
  local budget = READINGS * #s
  return first_of(s, paired(s, opening, closing, set, true), budget)
    or first_of(s, paired(s, opening, closing, set, false), budget)
end

function K.json_extract(s)
  if type(s) ~= "string" then
    return nil
  end
  return table_in(s) or fenced(s) or balanced(s, 123, 125, '[{}"]') or balanced(s, 91, 93, '[%[%]"]')
end

function K.alc.json_extract(s)
  return K.json_extract(s)
end
