-- alc.json_extract: the first table that a text holds as JSON.
--
-- Tried in order: the whole text, each fenced block, each balanced {}, each balanced [], then those inside others.
-- Brackets are paired in one pass that knows strings, and in one that does not (prose has lone quotes). What is nested
-- is decoded from the outside in, for as long as that has cost less than a few readings of the text: the whole is
-- linear.

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

-- The first of the pairs that decodes, not looking inside them.
local function outermost(s, pairs_found)
  for i = 1, #pairs_found do
    local value = table_in(sub(s, pairs_found[i].first, pairs_found[i].last))
    if value then
      return value
    end
  end
  return nil
end

-- The first that decodes of what lies inside the pairs. Not recursive: a text can nest deeply.
local function nested(s, pairs_found)
  local todo, n, budget = {}, 0, READINGS * #s
  local function push(list)
    for i = #list, 1, -1 do
      n = n + 1
      todo[n] = list[i]
    end
  end
  for i = #pairs_found, 1, -1 do
    push(pairs_found[i].inside)
  end
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

local function balanced(s)
  local found = {}
  for _, knows_strings in ipairs({ true, false }) do
    found[#found + 1] = paired(s, 123, 125, '[{}"]', knows_strings)
  end
  for _, knows_strings in ipairs({ true, false }) do
    found[#found + 1] = paired(s, 91, 93, '[%[%]"]', knows_strings)
  end
  for _, try in ipairs({ outermost, nested }) do
    for i = 1, #found do
      local value = try(s, found[i])
      if value then
        return value
      end
    end
  end
  return nil
end

function K.json_extract(s)
  if type(s) ~= "string" then
    return nil
  end
  return table_in(s) or fenced(s) or balanced(s)
end

function K.alc.json_extract(s)
  return K.json_extract(s)
end
