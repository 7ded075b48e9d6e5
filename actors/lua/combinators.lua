-- alc.map, alc.filter, alc.reduce. An array ends at its first nil.

local K = ...
local alc = K.alc
local type, error = type, error

local function check(name, t, fn)
  if type(t) ~= "table" then
    error("alc." .. name .. ": t must be an array, got " .. K.kind(t), 3)
  elseif type(fn) ~= "function" then
    error("alc." .. name .. ": fn must be a function, got " .. K.kind(fn), 3)
  end
end

function alc.map(t, fn)
  check("map", t, fn)
  local result, i = {}, 1
  local item = t[1]
  while item ~= nil do
    result[i] = fn(item, i)
    i = i + 1
    item = t[i]
  end
  return result
end

function alc.filter(t, fn)
  check("filter", t, fn)
  local result, i = {}, 1
  local item = t[1]
  while item ~= nil do
    if fn(item, i) then
      result[#result + 1] = item
    end
    i = i + 1
    item = t[i]
  end
  return result
end

function alc.reduce(t, fn, init)
  check("reduce", t, fn)
  local acc, i = init, 1
  if acc == nil then
    acc, i = t[1], 2
  end
  local item = t[i]
  while item ~= nil do
    acc = fn(acc, item, i)
    i = i + 1
    item = t[i]
  end
  return acc
end
