-- The script's os and io: the session's clock, and the log.

local K = ...
local E = K.E
local type, error = type, error
local native_time, native_date, difftime = os.time, os.date, os.difftime

local checked_time, checked_date = K.guard("time", native_time), K.guard("date", native_date)

E.os = {
  difftime = difftime,
  clock = function()
    return K.elapsed_s()
  end,
  time = function(t)
    if t == nil then
      return K.now_ms() // 1000
    end
    return checked_time(t)
  end,
  date = function(fmt, t)
    if fmt == nil then
      fmt = "%c"
    end
    if t == nil then
      t = K.now_ms() // 1000
    end
    return checked_date(fmt, t)
  end,
  getenv = function()
    return nil
  end,
}

local function file(level)
  local handle = {}
  local function write(...)
    for i = 1, select("#", ...) do
      local text = K.as_text((select(i, ...)))
      if not text then
        error("bad argument #" .. i .. " to 'write' (string expected, got " .. type((select(i, ...))) .. ")", 3)
      end
      K.output(level, text)
    end
    return handle
  end
  function handle.write(_, ...)
    write(...)
    return handle
  end
  function handle.flush()
    return handle
  end
  function handle.setvbuf()
    return true
  end
  return handle, write
end

local stdout, write = file("info")
E.io = {
  stdout = stdout,
  stderr = (file("warn")),
  write = function(...)
    write(...)
    return stdout
  end,
}
