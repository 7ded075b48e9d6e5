-- The pipe to the host: frames out, replies in. Only this file holds the handles.
--
-- Exactly one request is outstanding at a time. Once it is being sent nothing may go wrong: Lua allocates a reply
-- before it reads it, and may run out of stack; then no later reply could be told from what is left in the pipe, and
-- the session ends at once with the kind `limit`.

local K = ...
local pack, unpack, format, pcall = string.pack, string.unpack, string.format, pcall
local inp, out, exit = K.stdin, K.stdout, K.exit
local read, write, flush = inp.read, out.write, out.flush
K.stdin, K.stdout, K.exit = nil, nil, nil

local ANSWERS, VALUE, REFUSED = 0, 1, 2 -- 3 is NOTHING
local NO_ROOM = '{"t":"failed","kind":"limit","error":"a reply of the host does not fit in memory_bytes or the stack"}'
local MEMORY = '{"t":"failed","kind":"limit","error":"not enough memory: the script needs more than memory_bytes"}'

local NO_ROOM_HEADER, MEMORY_HEADER = pack("<I4", #NO_ROOM), pack("<I4", #MEMORY) -- there is no memory for them later

local waiting, closed = false, false
local calls = 0 -- requests since the last answers, or the last fork, whose children may have asked

-- Writes the frame; a host that has gone ends the process. Nothing is allocated between header and end.
local function put(header, body)
  if not (write(out, header, body) and flush(out)) then
    exit(1)
  end
end

-- When there is no stack left to write it, it is written by the next who tries.
local function final(header, body)
  if closed then
    exit(0)
  elseif waiting then
    header, body = NO_ROOM_HEADER, NO_ROOM
  end
  put(header, body)
  closed = true
end

-- The last frame. Nothing may follow it.
function K.put_final(body)
  final(pack("<I4", #body), body)
end

function K.end_out_of_memory()
  final(MEMORY_HEADER, MEMORY)
end

-- The channel is out of step: say so and end, whatever the script's own error handlers think of it.
local function break_off()
  final(NO_ROOM_HEADER, NO_ROOM)
  exit(0)
end

function K.channel_broken()
  return waiting
end

function K.put_notes(body)
  if waiting or closed then
    return
  end
  put(pack("<I4", #body), body)
end

local function receive()
  local head = read(inp, 4)
  if not head or #head < 4 then
    exit(0)
  end
  local size = unpack("<I4", head)
  local body = read(inp, size)
  if not body or #body < size then
    exit(0)
  end
  return body
end

local function answers(body, at)
  local n
  n, at = unpack("<I4", body, at)
  local texts = {}
  for i = 1, n do
    texts[i], at = unpack("<s4", body, at)
  end
  return texts
end

local function exchange(header, body)
  waiting = true
  put(header, body)
  local reply = receive()
  return reply, unpack("<BI8s4", reply)
end

-- Sends `text` (a JSON object without its closing brace) and waits; `is_question` if the model answers it, or may
-- answer questions of its own.
-- Returns true and the answers, the JSON text or nil; or false and a message.
function K.request(text, is_question)
  if waiting or closed then
    break_off()
  end
  K.flush_output()
  if is_question then
    K.settle_notes()
  end
  local body = text .. K.clocks_field() .. "}"
  if K.exceeds(#body, "max_frame_bytes") then
    return false, K.over("a request of bytes", #body, "max_frame_bytes")
  elseif not is_question and K.exceeds(calls + 1, "max_calls") then
    return false, K.over("calls of the host since the last question", calls + 1, "max_calls")
  end
  K.flush_notes()
  calls = calls + 1
  local ok, reply, kind, now_ms, clocks, at = pcall(exchange, pack("<I4", #body), body)
  if not ok then
    break_off()
  end
  waiting = false
  K.forget_clocks()
  K.set_clock(now_ms, clocks)
  if is_question and kind ~= REFUSED then
    calls = 0
    K.notes_anew()
  end
  if kind == ANSWERS then
    return true, answers(reply, at)
  elseif kind == VALUE then
    return true, (unpack("<s4", reply, at))
  elseif kind == REFUSED then
    return false, (unpack("<s4", reply, at))
  end
  return true, nil
end

-- Calls `name` on the host with JSON texts as arguments.
-- Returns true and the decoded result or nil; or false and a message.
function K.call(name, ...)
  local args = table.concat({ ... }, ",")
  local ok, result = K.request(format('{"t":"call","name":"%s","args":[', name) .. args .. "]")
  if not ok or result == nil then
    return ok, result
  end
  local v, problem = K.decode(result)
  if v == nil then
    return false, "the host's result is not JSON: " .. problem
  end
  return true, v
end
