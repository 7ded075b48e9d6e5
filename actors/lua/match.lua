-- alc.match_enum, alc.match_bool: what an answer chose.

local K = ...
local alc = K.alc
local find, gmatch, gsub, lower, byte, char = string.find, string.gmatch, string.gsub, string.lower, string.byte, string.char
local utf8_len, type, error, concat = utf8.len, type, error, table.concat

local THRESHOLD = 0.7 -- the contract's default
local BOOST_ABOVE = 0.7 -- Winkler's own: a common start helps only what is similar already
local LONGEST_WORD = 256 -- code points; longer ones are not words

-- Lower case for ASCII, Latin-1, Greek and Cyrillic: alphabets whose capitals stand in rows before their small letters.
local function small(pair)
  local a, b = byte(pair, 1, 2)
  if a == 0xC3 and b <= 0x9E and b ~= 0x97 then
    return char(a, b + 0x20)
  elseif a == 0xCE and b >= 0x91 and b <= 0x9F then
    return char(a, b + 0x20)
  elseif a == 0xCE and b >= 0xA0 and b <= 0xA9 then
    return char(0xCF, b - 0x20)
  elseif a == 0xD0 and b <= 0x8F then
    return char(0xD1, b + 0x10)
  elseif a == 0xD0 and b <= 0x9F then
    return char(a, b + 0x20)
  elseif a == 0xD0 and b <= 0xAF then
    return char(0xD1, b - 0x20)
  end
  return nil
end

local function lower_case(s)
  s = lower(s)
  if find(s, "[\xC3\xCE\xD0]") then
    s = gsub(s, "[\xC3\xCE\xD0][\x80-\xBF]", small)
  end
  return s
end

local function last_occurrence(text, part)
  local last, at = nil, 0
  while true do
    at = find(text, part, at + 1, true)
    if not at then
      return last
    end
    last = at
  end
end

-- The candidate whose last occurrence starts latest; of those that start together, the longest.
local function contained(text, candidates)
  local best, best_at, best_length
  for i = 1, #candidates do
    local part = candidates[i].lower
    local at = part ~= "" and last_occurrence(text, part)
    if at and (not best or at > best_at or at == best_at and #part > best_length) then
      best, best_at, best_length = candidates[i], at, #part
    end
  end
  return best
end

local function points(s)
  local list = {}
  for _, code in utf8.codes(s) do
    list[#list + 1] = code
  end
  return list
end

local function common(a, b, window)
  local used, in_a, in_b = {}, {}, {}
  for i = 1, #a do
    local first, last = i - window, i + window
    if first < 1 then
      first = 1
    end
    if last > #b then
      last = #b
    end
    for j = first, last do
      if not used[j] and a[i] == b[j] then
        used[j] = true
        in_a[#in_a + 1] = a[i]
        break
      end
    end
  end
  for j = 1, #b do
    if used[j] then
      in_b[#in_b + 1] = b[j]
    end
  end
  return in_a, in_b
end

local function jaro(a, b)
  if #a == 0 and #b == 0 then
    return 1
  elseif #a == 0 or #b == 0 then
    return 0
  end
  local window = (#a > #b and #a or #b) // 2 - 1
  if window < 0 then
    window = 0
  end
  local in_a, in_b = common(a, b, window)
  local matches = #in_a
  if matches == 0 then
    return 0
  end
  local moved = 0
  for i = 1, matches do
    if in_a[i] ~= in_b[i] then
      moved = moved + 1
    end
  end
  return (matches / #a + matches / #b + (matches - moved // 2) / matches) / 3
end

-- Jaro-Winkler similarity of two lists of code points, 0 to 1.
local function similarity(a, b)
  local score = jaro(a, b)
  if score <= BOOST_ABOVE then
    return score
  end
  local prefix = 0
  while prefix < 4 and prefix < #a and prefix < #b and a[prefix + 1] == b[prefix + 1] do
    prefix = prefix + 1
  end
  return score + prefix * 0.1 * (1 - score)
end

local function words_of(text)
  local words = {}
  for word in gmatch(text, "[%w_\x80-\xFF]+") do
    words[#words + 1] = word
  end
  return words
end

-- The candidate most like as many words in a row as it has itself.
local function similar(text, candidates, threshold)
  local words = words_of(text)
  local best, best_score
  for i = 1, #candidates do
    local own = words_of(candidates[i].lower)
    local wanted = points(concat(own, " "))
    for first = 1, #own > 0 and #words - #own + 1 or 0 do
      local sequence = concat(words, " ", first, first + #own - 1)
      if #sequence <= 4 * LONGEST_WORD and utf8_len(sequence) <= LONGEST_WORD then
        local score = similarity(wanted, points(sequence))
        if score >= threshold and (not best or score > best_score) then
          best, best_score = candidates[i], score
        end
      end
    end
  end
  return best
end

local function candidates_of(candidates)
  local list, i = {}, 1
  while candidates[i] ~= nil do
    local text = K.as_text(candidates[i])
    if not text then
      return nil, "candidate " .. i .. " must be a string, got " .. K.kind(candidates[i])
    end
    list[i] = { given = candidates[i], lower = lower_case(K.repair(text)) }
    i = i + 1
  end
  return list
end

function alc.match_enum(text, candidates, opts)
  local s = K.as_text(text)
  if not s then
    error("alc.match_enum: text must be a string, got " .. K.kind(text), 2)
  elseif type(candidates) ~= "table" then
    error("alc.match_enum: candidates must be an array, got " .. K.kind(candidates), 2)
  end
  local list, problem = candidates_of(candidates)
  if not list then
    error("alc.match_enum: " .. problem, 2)
  end
  local threshold = type(opts) == "table" and type(opts.threshold) == "number" and opts.threshold or THRESHOLD
  s = lower_case(K.repair(s))
  local found = contained(s, list) or similar(s, list, threshold)
  return found and found.given
end

local MEANING = {}
for word in gmatch("approved yes ok accept pass confirm agree true lgtm", "%a+") do
  MEANING[word] = true
end
for word in gmatch("rejected no deny block fail refuse disagree false", "%a+") do
  MEANING[word] = false
end

-- The text with nothing but letters and digits where words are. Letters are those of ASCII and of alphabets whose words
-- stand apart: U+00C0 to U+07FF, U+1E00 to U+1EFF. All else separates, since answers write _yes_ and はいyesです.
local function words_apart(s)
  if not find(s, "[\xC2-\xF4]") then
    return s
  end
  s = gsub(s, "\xE1[\xB8-\xBB][\x80-\xBF]", "\xC3\x80")
  s = gsub(s, "[\xC2\xE0-\xF4][\x80-\xBF]+", " ")
  return (gsub(s, "\xC3[\x97\xB7]", " ")) -- × and ÷
end

-- The last word that means one of the two.
function alc.match_bool(text)
  local s = K.as_text(text)
  if not s then
    error("alc.match_bool: text must be a string, got " .. K.kind(text), 2)
  end
  local answer
  for word in gmatch(words_apart(s), "[A-Za-z0-9\x80-\xFF]+") do
    local meaning = MEANING[lower(word)]
    if meaning ~= nil then
      answer = meaning
    end
  end
  return answer
end
