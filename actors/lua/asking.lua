-- Ways to ask: alc.llm_safe, alc.llm_json, alc.ground, alc.specify.

local K = ...
local alc = K.alc
local type, pcall, error, next = type, pcall, error, next

local ONLY_JSON = "Output only valid JSON: no prose, no comments, no code fences."

-- A copy of opts with one field changed.
local function with(opts, name, value)
  local copy = {}
  if type(opts) == "table" then
    for key, each in next, opts do
      copy[key] = each
    end
    K.liken(copy, opts)
  end
  copy[name] = value
  return copy
end

function alc.llm_safe(prompt, opts, default)
  local ok, answer, problem = pcall(K.through, "llm", prompt, opts)
  if ok and answer ~= nil then
    return answer
  end
  K.log("warn", "alc.log", "llm_safe: " .. K.describe(ok and problem or answer))
  return default
end

-- The text of an error object; showing it must not raise another.
function K.describe(e)
  local ok, text = pcall(K.tostring, e)
  return ok and text or "(error object is a " .. type(e) .. " value)"
end

function alc.llm_json(prompt, opts)
  local raw, problem = K.through("llm", prompt, opts)
  if raw == nil then
    error(problem, 2)
  end
  local value = K.json_extract(raw)
  if value then
    return value, raw
  end
  local repair = "The following output should have been valid JSON but is not:\n\n" .. raw
    .. "\n\nIt answers this request:\n\n" .. K.as_text(prompt) .. "\n\nGive the same content as valid JSON."
  raw, problem = K.through("llm", repair, with(opts, "system", ONLY_JSON))
  if raw == nil then
    error(problem, 2)
  end
  return K.json_extract(raw), raw
end

function alc.ground(prompt, opts)
  local answer, problem = K.through("llm", prompt, with(opts, "grounded", true))
  if answer == nil then
    error(problem, 2)
  end
  return answer
end

function alc.specify(prompt, opts)
  local answer, problem = K.through("llm", prompt, with(opts, "underspecified", true))
  if answer == nil then
    error(problem, 2)
  end
  return answer
end
