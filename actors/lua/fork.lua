-- alc.fork: strategies side by side, each in a worker of its own.

local K = ...
local find, concat, type, error = string.find, table.concat, type, error

local MAX_NAME_BYTES = 255 -- the host knows no longer one
local ON_ERROR = { skip = true, fail = true, abort = true }

local function names_of(strategies)
  if type(strategies) ~= "table" then
    return nil, "strategies must be an array of names, got " .. K.kind(strategies)
  end
  local names = {}
  for i = 1, math.huge do
    local name = strategies[i]
    if name == nil then
      break
    elseif type(name) ~= "string" or #name > MAX_NAME_BYTES or not find(name, "^[A-Za-z0-9_]+$") then
      local shown = K.cut(K.repair(K.tostring(name)), MAX_NAME_BYTES)
      return nil, "strategy name '" .. shown .. "' must match [A-Za-z0-9_]+"
    end
    names[i] = K.quote(name)
  end
  if #names == 0 then
    return nil, "strategies must be a non-empty array of names"
  elseif K.exceeds(#names, "max_strands") then
    return nil, K.over("strategies", #names, "max_strands")
  end
  return "[" .. concat(names, ",") .. "]"
end

local function body_of(strategies, ctx, opts)
  if K.is_child then
    return nil, "a forked strategy cannot fork"
  end
  local names, problem = names_of(strategies)
  if not names then
    return nil, problem
  end
  local text
  text, problem = K.encode(ctx == nil and {} or ctx)
  if not text then
    return nil, "cannot encode ctx: " .. problem
  end
  local on_error = type(opts) == "table" and opts.on_error
  if type(on_error) ~= "string" then
    on_error = "skip"
  elseif not ON_ERROR[on_error] then
    local shown = K.cut(K.repair(on_error), MAX_NAME_BYTES)
    return nil, "on_error must be 'skip', 'fail' or 'abort', got '" .. shown .. "'"
  end
  return '{"t":"fork","strategies":' .. names .. ',"ctx":' .. text .. ',"on_error":' .. K.quote(on_error)
end

function K.alc.fork(strategies, ctx, opts)
  local body, problem = body_of(strategies, ctx, opts)
  if not body then
    error("alc.fork: " .. problem, 2)
  end
  local ok, result = K.request(body, true)
  if not ok then
    error(find(result, "^fork:") and "alc." .. result or result, 2)
  end
  local outcomes, wrong = K.decode(result or "[]")
  if outcomes == nil then
    error("alc.fork: the host's result is not JSON: " .. wrong, 2)
  end
  return outcomes
end
