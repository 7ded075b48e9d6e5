-- alc.chunk: a text in pieces of `size` lines or characters, each starting size - overlap after the one before.

local K = ...
local find, sub, byte, offset, concat, type, error = string.find, string.sub, string.byte, utf8.offset, table.concat, type, error

local SIZE, OVERLAP = 50, 0 -- the contract's defaults

-- Lines without their ends; a last line that is empty does not count.
local function lines_of(text)
  local lines, n, at = {}, 0, 1
  while at <= #text do
    local stop = find(text, "\n", at, true) or #text + 1
    local last = stop - 1
    if byte(text, last) == 13 and stop <= #text and last >= at then
      last = last - 1
    end
    n = n + 1
    lines[n] = sub(text, at, last)
    at = stop + 1
  end
  return lines
end

local function by_lines(text, size, step)
  local lines, chunks, at = lines_of(text), {}, 1
  while at <= #lines do
    local last = size < #lines - at + 1 and at + size - 1 or #lines
    chunks[#chunks + 1] = concat(lines, "\n", at, last)
    if last == #lines then
      break
    end
    at = at + step
  end
  return chunks
end

local function by_characters(text, size, step)
  text = K.repair(text)
  local chunks, at = {}, 1
  while true do
    local after = offset(text, size + 1, at)
    if not after or after > #text then
      chunks[#chunks + 1] = sub(text, at)
      return chunks
    end
    chunks[#chunks + 1] = sub(text, at, after - 1)
    at = offset(text, step + 1, at)
  end
end

local function count(opts, name, default)
  local n = K.as_integer(opts[name])
  return n and n >= 0 and n or default
end

function K.alc.chunk(text, opts)
  local s = K.as_text(text)
  if not s then
    error("alc.chunk: text must be a string, got " .. K.kind(text), 2)
  end
  opts = type(opts) == "table" and opts or {}
  local size, overlap = count(opts, "size", SIZE), count(opts, "overlap", OVERLAP)
  local mode = type(opts.mode) == "string" and opts.mode or "lines"
  if mode ~= "lines" and mode ~= "chars" then
    error("alc.chunk: mode must be 'lines' or 'chars', got '" .. mode .. "'", 2)
  elseif s == "" or size == 0 then
    return {}
  end
  size = size < 1 << 53 and size or 1 << 53
  local step = overlap >= size and 1 or size - overlap
  return (mode == "lines" and by_lines or by_characters)(s, size, step)
end
