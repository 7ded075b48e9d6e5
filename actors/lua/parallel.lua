-- alc.parallel: one question per item, all in one batch.

local K = ...
local type, next, error = type, next, error

-- The options that all questions share.
local function shared_of(opts)
  local shared = {}
  if type(opts) == "table" then
    for name, value in next, opts do
      if name ~= "post_fn" then
        shared[name] = value
      end
    end
  end
  return shared
end

local function query_of(made, shared, i)
  local query = K.copy(shared)
  if type(made) == "table" then
    if K.as_text(made.prompt) == nil then
      return nil, "alc.parallel: prompt_fn returned table without .prompt (item " .. i .. ")"
    end
    for name, value in next, made do
      query[name] = value
    end
    query.prompt = made.prompt
    return query
  end
  query.prompt = made
  if type(made) ~= "string" then
    return nil, "alc.parallel: prompt_fn must return string or table, got " .. K.kind(made) .. " (item " .. i .. ")"
  end
  return query
end

local function queries_of(items, prompt_fn, opts)
  if type(items) ~= "table" or items[1] == nil then
    return nil, "alc.parallel: items must be a non-empty array"
  elseif type(prompt_fn) ~= "function" then
    return nil, "alc.parallel: prompt_fn must be a function"
  end
  local shared, queries, i = shared_of(opts), {}, 1
  local item = items[1]
  while item ~= nil do
    local query, problem = query_of(prompt_fn(item, i), shared, i)
    if not query then
      return nil, problem
    end
    queries[i] = query
    i = i + 1
    item = items[i]
  end
  return queries
end

function K.alc.parallel(items, prompt_fn, opts)
  local queries, problem = queries_of(items, prompt_fn, opts)
  if not queries then
    error(problem, 2)
  end
  local answers
  answers, problem = K.through("llm_batch", queries)
  if not answers then
    error(problem, 2)
  end
  local post_fn = type(opts) == "table" and opts.post_fn
  if type(post_fn) ~= "function" then
    return answers
  end
  local results = {}
  for i = 1, #queries do
    results[i] = post_fn(answers[i], items[i], i)
  end
  return results
end
