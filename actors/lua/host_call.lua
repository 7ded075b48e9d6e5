-- What functions that only pass their arguments to the host are made of.

local K = ...
local find, error, select = string.find, error, select

-- A refusal names the function that the script called.
local function named(name, message)
  if find(message, "alc.", 1, true) == 1 then
    return message
  elseif find(message, name .. ":", 1, true) == 1 then
    return "alc." .. message
  end
  return "alc." .. name .. ": " .. message
end

-- Calls the host with `n` Lua values (nil counts as null); raises at the line of the caller's caller.
function K.host(name, n, ...)
  local texts, tables = {}, 0
  for i = 1, n do
    local text, more = K.encode((select(i, ...)), nil, tables)
    if not text then
      error("alc." .. name .. ": cannot encode " .. more, 3)
    end
    texts[i], tables = text, more
  end
  local ok, result = K.call(name, table.unpack(texts, 1, n))
  if not ok then
    error(named(name, result), 3)
  end
  return result
end
