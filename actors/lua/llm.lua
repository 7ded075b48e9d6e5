-- alc.llm, alc.llm_batch.

local K = ...
local alc = K.alc
local error, type, rawequal = error, type, rawequal

local function ask_one(prompt, opts)
  local query, problem = K.query(prompt, opts)
  if not query then
    return nil, "alc.llm: " .. problem
  end
  local answers, refusal = K.ask({ query })
  if not answers then
    return nil, refusal
  end
  return answers[1]
end

function alc.llm(prompt, opts)
  local answer, problem = ask_one(prompt, opts)
  if not answer then
    error(problem, 2)
  end
  return answer
end

local function ask_all(items)
  if type(items) ~= "table" then
    return nil, "alc.llm_batch: items must be an array, got " .. K.kind(items)
  end
  local queries = {}
  for i = 1, math.huge do
    local item = items[i]
    if item == nil then
      break
    elseif type(item) ~= "table" then
      return nil, "alc.llm_batch: item " .. i .. " must be a table with a prompt, got " .. K.kind(item)
    end
    local query, problem = K.query(item.prompt, item)
    if not query then
      return nil, "alc.llm_batch: item " .. i .. ": " .. problem
    end
    queries[i] = query
  end
  if #queries == 0 then
    return nil, "alc.llm_batch: items must be a non-empty array"
  end
  return K.ask(queries)
end

function alc.llm_batch(items)
  local answers, problem = ask_all(items)
  if not answers then
    error(problem, 2)
  end
  return answers
end

local native = { llm = alc.llm, llm_batch = alc.llm_batch }
local direct = { llm = ask_one, llm_batch = ask_all }

-- What the combinators call: alc.llm as the script has it (it may have wrapped it), returning nil and a message
-- instead of raising when it is still ours, so that the combinator can raise at its caller's line.
function K.through(name, ...)
  local current = alc[name]
  if rawequal(current, native[name]) then
    return direct[name](...)
  end
  return current(...)
end
