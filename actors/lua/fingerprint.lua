-- alc.fingerprint: DJB2 of the text in lower case, with runs of white space as one space, trimmed.

local K = ...
local byte, lower, gsub, format, error = string.byte, string.lower, string.gsub, string.format, error

-- 64 bits wrap around without touching the lower 32.
function K.fingerprint(s)
  s = gsub(lower(s), "[ \t\n\r\v\f]+", " ")
  local hash, last = 5381, #s
  local first = byte(s, 1) == 32 and 2 or 1
  if last >= first and byte(s, last) == 32 then
    last = last - 1
  end
  for i = first, last do
    hash = hash * 33 + byte(s, i)
  end
  return format("%08x", hash & 0xFFFFFFFF)
end

function K.alc.fingerprint(s)
  local text = K.as_text(s)
  if not text then
    error("alc.fingerprint: text must be a string, got " .. K.kind(s), 2)
  end
  return K.fingerprint(text)
end
