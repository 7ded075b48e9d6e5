-- The clock: the host's wall clock of the last reply, plus the time that Lua has run since, in steps of 1 ms.
--
-- Every reading is kept, run-length coded as [milliseconds after the one before, count], and travels with the next
-- request. A replay gives them back: recorded readings come first, and when they end the clock goes on from the last.
-- It never runs backwards. A script that does nothing but look at the clock changes it a thousand times a second: the
-- more readings are kept, the coarser its steps become, so that they always fit the next request.

local K = ...
local cpu, floor, concat, format = os.clock, math.floor, table.concat, string.format

local base_ms, base_cpu = 0, 0 -- what the host's clock said, and Lua's own clock then
local last_ms, started_ms = 0, 0
local recorded, at, used = {}, 1, 0 -- readings to repeat, the pair that is next, how many of its count are gone
local deltas, counts, pairs_kept = {}, {}, 0

local STEPS_MS = { 1, 10, 100, 1000, 10000, 100000 }
local PAIRS_PER_STEP = 20000 -- the first ten seconds of looking in steps of 1 ms, then 100 s of 10 ms, and so on; 200 KB
local BYTES_PER_PAIR = 256 -- of a frame: six steps' pairs of 20 bytes fill half of it

function K.start_clock(now_ms, start_ms, clocks)
  base_ms, base_cpu, last_ms, started_ms = now_ms, cpu(), start_ms, start_ms
  recorded, at, used = clocks, 1, 0
end

-- What a reply says about the time. `clocks` is JSON text, "" when there is nothing to repeat.
function K.set_clock(now_ms, clocks)
  base_ms, base_cpu = now_ms, cpu()
  if clocks ~= "" then
    recorded, at, used = K.decode(clocks), 1, 0
  end
end

local function repeated()
  local pair = recorded[at]
  if not pair then
    return nil
  elseif used >= pair[2] then
    at, used = at + 1, 0
    return repeated()
  end
  used = used + 1
  return last_ms + pair[1]
end

local function keep(delta)
  if pairs_kept > 0 and deltas[pairs_kept] == delta then
    counts[pairs_kept] = counts[pairs_kept] + 1
  else
    pairs_kept = pairs_kept + 1
    deltas[pairs_kept], counts[pairs_kept] = delta, 1
  end
end

-- Now, in the steps of this slice.
local function coarse()
  local kept = PAIRS_PER_STEP
  local frame = K.limits.max_frame_bytes or 0
  if frame > 0 and frame // BYTES_PER_PAIR < kept then
    kept = frame // BYTES_PER_PAIR
  end
  local step = STEPS_MS[pairs_kept // kept + 1] or STEPS_MS[#STEPS_MS]
  local now = base_ms + floor((cpu() - base_cpu) * 1000)
  return now - now % step
end

-- Milliseconds since the epoch.
function K.now_ms()
  local now = repeated()
  if not now then
    now = coarse()
    if now < last_ms then
      now = last_ms
    end
    keep(now - last_ms)
  end
  last_ms = now
  K.notes_due()
  return now
end

-- Seconds since the session started.
function K.elapsed_s()
  return (K.now_ms() - started_ms) / 1000
end

-- The readings that no request has carried yet, as a field of one.
function K.clocks_field()
  if pairs_kept == 0 then
    return ""
  end
  local parts = {}
  for i = 1, pairs_kept do
    parts[i] = format("[%d,%d]", deltas[i], counts[i])
  end
  return ',"clocks":[' .. concat(parts, ",") .. "]"
end

function K.forget_clocks()
  if pairs_kept > 0 then
    deltas, counts, pairs_kept = {}, {}, 0
  end
end

function K.alc.time()
  return K.now_ms() / 1000
end
