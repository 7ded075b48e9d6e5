-- alc.state: JSON values by key, in the namespace that ctx._ns named when the session started.

local K = ...
local host, error, type = K.host, error, type

local state = {}
K.alc.state = state

local function key_of(key, name)
  local text = K.as_text(key)
  if not text then
    error("alc.state." .. name .. ": key must be a string, got " .. K.kind(key), 3)
  end
  return text
end

function state.get(key, default)
  key = key_of(key, "get")
  local value = host("state.get", 2, K.namespace, key)
  if value == nil then
    return default
  end
  return value
end

function state.set(key, value)
  key = key_of(key, "set")
  host("state.set", 3, K.namespace, key, value)
end

function state.keys()
  local keys = host("state.keys", 1, K.namespace)
  return keys or {}
end

function state.delete(key)
  key = key_of(key, "delete")
  local had = host("state.delete", 2, K.namespace, key)
  return had == true
end

function state.has(key)
  key = key_of(key, "has")
  local has = host("state.has", 2, K.namespace, key)
  return has == true
end

function state.set_nx(key, value)
  key = key_of(key, "set_nx")
  local stored = host("state.set_nx", 3, K.namespace, key, value)
  return stored == true
end

function state.incr(key, delta, default)
  key = key_of(key, "incr")
  if delta == nil then
    delta = 1
  end
  if default == nil then
    default = 0
  end
  if type(delta) ~= "number" or type(default) ~= "number" then
    error("alc.state.incr: delta and default must be numbers", 2)
  end
  local total = host("state.incr", 4, K.namespace, key, delta, default)
  return total
end

-- Read, apply, write, return. Not one step: another session may write in between.
function state.update(key, fn, default)
  key = key_of(key, "update")
  if type(fn) ~= "function" then
    error("alc.state.update: fn must be a function, got " .. K.kind(fn), 2)
  end
  local value = host("state.get", 2, K.namespace, key)
  if value == nil then
    value = default
  end
  value = fn(value)
  host("state.set", 3, K.namespace, key, value)
  return value
end
