-- alc.tuning: a strategy's settings, from its defaults and what ctx says otherwise.
--
-- With a prefix, ctx[prefix] is what is read; ctx itself when there is no such section.

local K = ...
local type, next, error, rawequal = type, next, error, rawequal

local function is_dict(v)
  return type(v) == "table" and v[1] == nil
end

local function copy(v)
  if type(v) ~= "table" then
    return v
  end
  local result = {}
  for key, each in next, v do
    if key ~= "_schema" then
      result[key] = copy(each)
    end
  end
  if next(result) == nil and K.empty_arrays[v] then
    K.empty_arrays[result] = true
  end
  return result
end

-- `over` wins. Tables without [1] on both sides are merged, of which keys that the default does not have are left
-- out (an empty default has none, and is replaced); everything else is replaced.
local function merged(default, over)
  if over == nil or rawequal(over, K.null) then
    return copy(default)
  elseif not (is_dict(default) and is_dict(over)) or next(default) == nil then
    return copy(over)
  end
  local result = {}
  for key, each in next, default do
    if key ~= "_schema" then
      result[key] = merged(each, over[key])
    end
  end
  return result
end

local function overrides(ctx, opts)
  local prefix = type(opts) == "table" and K.as_text(opts.prefix)
  if type(ctx) ~= "table" then
    return {}
  elseif not prefix then
    return ctx
  end
  local section = ctx[prefix]
  if type(section) == "table" then
    return section
  elseif section == nil or rawequal(section, K.null) then
    return ctx
  end
  K.log("warn", "alc.log", "alc.tuning: ctx." .. prefix .. " must be a table, got " .. K.kind(section) .. "; ignored")
  return {}
end

function K.alc.tuning(defaults, ctx, opts)
  if type(defaults) ~= "table" then
    error("alc.tuning: defaults must be a table, got " .. K.kind(defaults), 2)
  end
  local over, result = overrides(ctx, opts), {}
  for key, default in next, defaults do
    if key ~= "_schema" then
      result[key] = merged(default, over[key])
    end
  end
  return result
end
