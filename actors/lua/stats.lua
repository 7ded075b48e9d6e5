-- alc.stats: a script's own metrics, the last write of a key wins.

local K = ...
local error = error

local stats, recorded = {}, {}
K.alc.stats = stats

local function key_of(key, name)
  local text = K.as_text(key)
  if not text then
    error("alc.stats." .. name .. ": key must be a string, got " .. K.kind(key), 3)
  end
  return text
end

function stats.record(key, value)
  key = key_of(key, "record")
  local text, problem = K.encode(value)
  if not text then
    error("alc.stats.record: cannot encode " .. problem, 2)
  end
  local note = '["stat",' .. K.quote(key) .. "," .. text .. "]"
  if K.exceeds(#note + 64, "max_frame_bytes") then
    error("alc.stats.record: " .. K.over("a value of bytes", #note, "max_frame_bytes"), 2)
  end
  recorded[key] = text
  K.note(note)
end

function stats.get(key)
  local text = recorded[key_of(key, "get")]
  if text == nil or text == "null" then
    return nil
  end
  return (K.decode(text))
end
