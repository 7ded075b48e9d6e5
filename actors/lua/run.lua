-- One run, from the begin message to the final frame.

local K = ...
local E = K.E
local type, next, pcall, xpcall, rawget, rawset, load = type, next, pcall, xpcall, rawget, rawset, load
local tostring, sub = tostring, string.sub
local metatable_of = debug.getmetatable

-- What Lua raises when an allocation fails. Scripts can raise the same text; but then a message handler is called,
-- unless they raise exactly this, without a position, which only mislabels their own session.
local NO_MEMORY = "not enough memory"
local NO_OBJECT = "<no error object>" -- what Lua 5.5 makes of error(nil)

local function configure(code, ctx, config)
  local c = K.decode(config)
  K.limits = c.limits
  K.start_notes()
  K.seed_random(c.random_seed)
  K.start_clock(c.now_ms, c.started_ms, c.clocks)
  rawset(K.alc, "_dirs", c.dirs) -- beside what waits in later.lua
  K.is_child = type(c.strategy) == "string"
  local value, problem = K.decode(ctx)
  if value == nil then
    return nil, "ctx is not JSON: " .. problem, "lua"
  end
  E.ctx = value
  local ns = type(value) == "table" and value._ns
  K.namespace = type(ns) == "string" and ns or "default"
  if K.is_child then
    return function()
      local module = K.require(c.strategy)
      if type(module) ~= "table" or type(module.run) ~= "function" then
        error("strategy '" .. c.strategy .. "' has no function run", 0)
      end
      return (module.run(value))
    end
  end
  if K.exceeds(#code, "max_code_bytes") then
    return nil, K.over("a script of bytes", #code, "max_code_bytes"), "limit"
  elseif sub(code, 1, 1) == "\27" then
    return nil, "session: binary chunks are not accepted", "syntax"
  end
  local main, syntax = load(K.source(code), "=session", "t", E)
  return main, syntax, "syntax"
end

-- An error object as text.
local function message_of(e)
  if type(e) == "string" then
    return e
  elseif type(e) ~= "table" then
    return K.tostring(e)
  end
  local mt = metatable_of(e)
  if mt and rawget(mt, "__tostring") ~= nil then
    local ok, text = pcall(tostring, e)
    if ok then
      return text
    end
  end
  return K.encode(e) or "(error object is a table value)"
end

local function ends_with(text, tail)
  return type(text) == "string" and tail ~= nil and sub(text, -#tail) == tail
end

local function broke(problem, kind)
  local text = problem == NO_OBJECT and "nil" or message_of(problem)
  if kind == "lua" and ends_with(problem, K.limit_text) then
    kind = "limit"
  end
  text = K.quote(K.shortened(text, "max_error_bytes"))
  return '{"t":"failed","error":' .. text .. ',"kind":"' .. kind .. '"' .. K.clocks_field() .. "}"
end

local function done(value)
  local limit = K.limits.max_result_bytes or 0
  local text, problem, too_long = K.encode(value, limit)
  if too_long then
    return broke("the result is larger than max_result_bytes (" .. limit .. ")", "limit")
  elseif not text then
    return broke("the result cannot be encoded: " .. problem, "lua")
  end
  local body = '{"t":"done","value":' .. text .. K.clocks_field() .. "}"
  if K.exceeds(#body, "max_frame_bytes") then
    return broke(K.over("a result of bytes", #body, "max_frame_bytes"), "limit")
  end
  return body
end

-- Writes the final frame; whether it holds a result.
local function finish(body_of, ...)
  local body = body_of(...)
  K.flush_output()
  K.settle_notes()
  K.flush_notes()
  K.put_final(body)
  return sub(body, 1, 11) == '{"t":"done"'
end

-- Memory is gone: let go of all that the script holds, then say so.
local function out_of_memory()
  for name in next, E do
    E[name] = nil
  end
  collectgarbage("collect")
  pcall(K.flush_notes)
  K.end_out_of_memory()
end

-- Runs f; returns its first result, or nil, the error and whether memory was short.
local function attempt(f, ...)
  local raised = false
  local ok, value = xpcall(f, function(e)
    raised = true
    return e
  end, ...)
  if ok then
    return true, value
  end
  return false, value, not raised and value == NO_MEMORY
end

-- `code`, `ctx` and `config` are JSON or Lua text. Writes the final frame, whatever happens; true if it holds a result.
function K.run(code, ctx, config)
  local main, problem, kind
  local ok, failure, short = attempt(function()
    main, problem, kind = configure(code, ctx, config)
  end)
  if ok and not main then
    ok, failure, short = attempt(finish, broke, problem, kind)
  elseif ok then
    local value
    ok, value, short = attempt(main)
    if ok then
      ok, failure, short = attempt(finish, done, value)
    elseif not short then
      ok, failure, short = attempt(finish, broke, value, "lua")
    end
  end
  if short or K.channel_broken() then
    out_of_memory()
    return false
  elseif not ok then
    K.put_final('{"t":"failed","kind":"lua","error":' .. K.quote(message_of(failure)) .. "}")
  end
  return ok and failure == true
end
