-- alc.stats: a script's own metrics, the last write of a key wins. The host shows them in every snapshot.

local K = ...
local error = error

local PER_FRAME = 2 -- so that a value is never alone too large for a frame

local stats, recorded, size = {}, {}, 0
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
  local name = K.quote(key)
  local old = recorded[key]
  local grown = size + #text + (old and -#old or #name + 2)
  if K.exceeds(grown, "max_stats_bytes") then
    error("alc.stats.record: " .. K.over("all values together, in bytes", grown, "max_stats_bytes"), 2)
  elseif K.exceeds(PER_FRAME * (#name + #text), "max_frame_bytes") then
    error("alc.stats.record: " .. K.over("twice the value, in bytes", PER_FRAME * #text, "max_frame_bytes"), 2)
  end
  recorded[key], size = text, grown
  K.tell_stat(key, '["stat",' .. name .. "," .. text .. "]")
end

function stats.get(key)
  local text = recorded[key_of(key, "get")]
  if text == nil or text == "null" then
    return nil
  end
  return (K.decode(text))
end
