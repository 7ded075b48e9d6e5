-- One-way notes (log lines, progress, metrics): gathered, and sent after 8 KiB or 50 ms and before every request.

local K = ...
local cpu, concat, gsub, sub, find = os.clock, table.concat, string.gsub, string.sub, string.find

local FLUSH_BYTES = 8192 -- a pipe of an unprivileged user may hold no more
local FLUSH_SECONDS = 0.05 -- what a person watching takes for "at once"

local notes, count, size, first_at = {}, 0, 0, 0

function K.flush_notes()
  if count == 0 then
    return
  end
  local body = '{"t":"notes","notes":[' .. concat(notes, ",", 1, count) .. "]}"
  notes, count, size = {}, 0, 0
  K.put_notes(body)
end

function K.notes_due()
  if count > 0 and (size >= FLUSH_BYTES or cpu() - first_at >= FLUSH_SECONDS) then
    K.flush_notes()
  end
end

-- `note` is JSON text.
function K.note(note)
  if count == 0 then
    first_at = cpu()
  end
  count = count + 1
  notes[count] = note
  size = size + #note
  K.notes_due()
end

function K.log(level, source, message)
  message = K.cut(message, K.limits.max_log_bytes or 0)
  K.note('["log","' .. level .. '","' .. source .. '",' .. K.quote(message) .. "]")
end

-- What io.write has been given since the last end of line, by level.
local partial = { info = "", warn = "" }

local function print_line(level, text)
  K.log(level, "alc.lua.print", (gsub(text, "\n+$", "")))
end

function K.output(level, text)
  text = partial[level] .. text
  local start = 1
  while true do
    local stop = find(text, "\n", start, true)
    if not stop then
      break
    end
    print_line(level, sub(text, start, stop - 1))
    start = stop + 1
  end
  local rest = sub(text, start)
  local limit = K.limits.max_log_bytes or 0
  if limit > 0 and #rest > limit then
    print_line(level, rest)
    rest = ""
  end
  partial[level] = rest
end

-- Lines that have no end yet are shown before the script waits.
function K.flush_output()
  for _, level in ipairs({ "info", "warn" }) do
    if partial[level] ~= "" then
      local text = partial[level]
      partial[level] = ""
      print_line(level, text)
    end
  end
end

local LEVELS = { error = true, warn = true, info = true, debug = true }

function K.alc.log(...)
  local level, message = ...
  if select("#", ...) == 1 then
    level, message = "info", level
  end
  if type(level) ~= "string" or not LEVELS[level] then
    level = "info"
  end
  K.log(level, "alc.log", K.tostring(message))
end

function K.E.print(...)
  local parts = { ... }
  for i = 1, select("#", ...) do
    parts[i] = K.tostring(parts[i])
  end
  print_line("info", concat(parts, "\t"))
end

local function finite(v)
  return type(v) == "number" and v == v and v ~= math.huge and v ~= -math.huge
end

function K.alc.progress(step, total, message)
  if not finite(step) or not finite(total) then
    error("alc.progress: step and total must be numbers", 2)
  end
  local text = K.as_text(message)
  K.note('["progress",' .. K.encode(math.tointeger(step) or step) .. "," .. K.encode(math.tointeger(total) or total)
    .. "," .. (text and K.quote(K.cut(text, K.limits.max_log_bytes or 0)) or "null") .. "]")
end
