-- alc.cache: answers by fingerprint, for the life of the session; the oldest goes first.

local K = ...
local alc = K.alc
local type, error = type, error

local MAX_ENTRIES = 256 -- the contract's figure

local answers, keys, first, count = {}, {}, 1, 0
local hits, misses = 0, 0

local function key_of(prompt, opts)
  if type(opts.cache_key) == "string" then
    return "k" .. opts.cache_key
  end
  local tokens = K.as_integer(opts.max_tokens)
  return K.fingerprint(prompt .. "\0" .. (K.as_text(opts.system) or "") .. "\0" .. (tokens or ""))
end

local function store(key, answer)
  if answers[key] == nil then
    if count == MAX_ENTRIES then
      answers[keys[first]] = nil
      keys[first] = nil
      first, count = first + 1, count - 1
    end
    keys[first + count] = key
    count = count + 1
  end
  answers[key] = answer
end

-- The options for the model: without those that are ours.
local function without_ours(opts)
  local copy = {}
  for name, value in next, opts do
    if name ~= "cache_key" and name ~= "cache_skip" then
      copy[name] = value
    end
  end
  return K.liken(copy, opts)
end

function alc.cache(prompt, opts)
  local text = K.as_text(prompt)
  if not text then
    error("alc.cache: prompt must be a string, got " .. K.kind(prompt), 2)
  end
  opts = type(opts) == "table" and opts or {}
  local skip = opts.cache_skip and opts.cache_skip ~= K.null
  local key = not skip and key_of(text, opts)
  if key and answers[key] ~= nil then
    hits = hits + 1
    return answers[key]
  end
  local answer, problem = K.through("llm", text, without_ours(opts))
  if answer == nil then
    error(problem, 2)
  end
  if key then
    misses = misses + 1
    store(key, answer)
  end
  return answer
end

function alc.cache_info()
  return { entries = count, hits = hits, misses = misses, max_entries = MAX_ENTRIES }
end

function alc.cache_clear()
  answers, keys, first, count = {}, {}, 1, 0
  hits, misses = 0, 0
end
