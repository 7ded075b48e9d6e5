-- The pipe to the host: frames out, replies in. Only this file holds the handles.
--
-- Exactly one request is outstanding at a time. Lua allocates a reply before it reads it; when that fails the bytes
-- stay in the pipe, no later reply could be told from them, and the session ends at once with the kind `limit`.

local K = ...
local pack, unpack, format, pcall = string.pack, string.unpack, string.format, pcall
local inp, out, exit = K.stdin, K.stdout, K.exit
local read, write, flush = inp.read, out.write, out.flush
K.stdin, K.stdout, K.exit = nil, nil, nil

local ANSWERS, VALUE, REFUSED = 0, 1, 2 -- 3 is NOTHING
local NO_ROOM = '{"t":"failed","kind":"limit","error":"a reply of the host does not fit in memory_bytes"}'
local MEMORY = '{"t":"failed","kind":"limit","error":"not enough memory: the script needs more than memory_bytes"}'

local waiting, closed = false, false

-- Writes the frame; a host that has gone ends the process. Nothing is allocated between header and end.
local function put(body)
  local header = pack("<I4", #body)
  if not (write(out, header, body) and flush(out)) then
    exit(1)
  end
end

-- The last frame. Nothing may follow it.
function K.put_final(body)
  if closed then
    exit(0)
  end
  closed = true
  put(body)
end

function K.end_out_of_memory()
  K.put_final(waiting and NO_ROOM or MEMORY)
end

-- The channel is out of step: say so and end, whatever the script's own error handlers think of it.
local function break_off()
  K.put_final(NO_ROOM)
  exit(0)
end

function K.channel_broken()
  return waiting
end

function K.put_notes(body)
  if waiting or closed then
    return
  end
  put(body)
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

-- Sends `text` (a JSON object without its closing brace) and waits.
-- Returns true and the answers, the JSON text or nil; or false and a message.
function K.request(text)
  if waiting or closed then
    break_off()
  end
  K.flush_output()
  local body = text .. K.clocks_field() .. "}"
  if K.exceeds(#body, "max_frame_bytes") then
    return false, K.over("a request of bytes", #body, "max_frame_bytes")
  end
  K.flush_notes()
  waiting = true
  put(body)
  local ok, reply = pcall(receive)
  if not ok then
    break_off()
  end
  waiting = false
  K.forget_clocks()
  local kind, now_ms, clocks, at = unpack("<BI8s4", reply)
  K.set_clock(now_ms, clocks)
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
