-- One-way notes (log lines, progress, metrics): gathered, and sent after 8 KiB or 50 ms and before every request.
--
-- Between two questions at most max_notes_bytes of them are sent as they come. Beyond that log lines are dropped,
-- which is said once, and of progress and metrics the last values are sent with the next question or at the end.
-- That goes by bytes, not by time, so that a replay sends the same.

local K = ...
local cpu, concat, gsub, sub, find = os.clock, table.concat, string.gsub, string.sub, string.find
local format, next = string.format, next

local FLUSH_BYTES = 8192 -- a pipe of an unprivileged user may hold no more
local FLUSH_SECONDS = 0.05 -- what a person watching takes for "at once"
local LINES_PER_FRAME = 16 -- a line may be six times as long once it is JSON, and is not alone in its frame

local flush_bytes = FLUSH_BYTES
local notes, count, size, first_at = {}, 0, 0, 0
local spent, dropped, latest = 0, 0, {} -- bytes since the last answers; lines dropped; values that wait, by key

-- The limits are there.
function K.start_notes()
  local frame = K.limits.max_frame_bytes or 0
  if frame > 0 and frame // 4 < FLUSH_BYTES then
    flush_bytes = frame // 4
  end
end

function K.flush_notes()
  if count == 0 then
    return
  end
  local body = '{"t":"notes","notes":[' .. concat(notes, ",", 1, count) .. "]}"
  notes, count, size = {}, 0, 0
  K.put_notes(body)
end

function K.notes_due()
  if count > 0 and (size >= flush_bytes or cpu() - first_at >= FLUSH_SECONDS) then
    K.flush_notes()
  end
end

local function add(note)
  if size + #note > flush_bytes then
    K.flush_notes()
  end
  if count == 0 then
    first_at = cpu()
  end
  count = count + 1
  notes[count] = note
  size = size + #note
  spent = spent + #note
  K.notes_due()
end

local function line(level, source, message)
  return '["log","' .. level .. '","' .. source .. '",' .. K.quote(message) .. "]"
end

-- `note` is JSON text. With a `key` it must not be lost; the last one of a key is enough.
local function tell(note, key)
  if not K.exceeds(spent + #note, "max_notes_bytes") then
    add(note)
  elseif key then
    latest[key] = note
  else
    dropped = 1
    add(line("warn", "engine", format("more logs than max_notes_bytes (%d) since the last question:"
      .. " lines are dropped from here on", K.limits.max_notes_bytes)))
  end
end

-- What was held back, before the script waits for answers or ends.
function K.settle_notes()
  for key, note in next, latest do
    latest[key] = nil
    add(note)
  end
  if dropped > 0 then
    local text = format("%d lines were dropped", dropped)
    dropped = 0
    add(line("warn", "engine", text))
  end
end

-- Answers have come: there is room again.
function K.notes_anew()
  spent = 0
end

-- A text of at most `name` bytes that fits a frame whatever is in it.
function K.shortened(text, name)
  local limit, frame = K.limits[name] or 0, (K.limits.max_frame_bytes or 0) // LINES_PER_FRAME
  if frame > 0 and (limit == 0 or frame < limit) then
    limit = frame
  end
  return K.cut(text, limit)
end

function K.log(level, source, message)
  if dropped > 0 then
    dropped = dropped + 1
    return
  end
  tell(line(level, source, K.shortened(message, "max_log_bytes")))
end

-- A metric, as JSON text.
function K.tell_stat(key, note)
  tell(note, "stat " .. key)
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
  if limit > 0 and #rest >= limit then
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
  tell('["progress",' .. K.encode(math.tointeger(step) or step) .. "," .. K.encode(math.tointeger(total) or total)
    .. "," .. (text and K.quote(K.shortened(text, "max_log_bytes")) or "null") .. "]", "progress")
end
