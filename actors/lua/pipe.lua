-- alc.pipe: strategies one after the other, the result of one being the task of the next.
--
-- A stage gets a shallow copy of ctx and returns a ctx (nil: the copy it was given; no table: its result). In the ctx
-- that it gets, pipe_history holds what came before. on_error: "abort" raises the stage's own error; "skip" goes on as
-- if the stage had not been; "continue" goes on with what it left.

local K = ...
local type, pcall, error = type, pcall, error

local function runner(stage)
  if type(stage) == "function" then
    return stage
  end
  local module = K.require(stage)
  if type(module) ~= "table" or type(module.run) ~= "function" then
    error("alc.pipe: strategy '" .. stage .. "' has no function run", 0)
  end
  return module.run
end

local function run_stage(stage, ctx)
  local outcome = runner(stage)(ctx)
  if type(outcome) == "table" then
    return outcome
  elseif outcome ~= nil then
    ctx.result = outcome
  end
  return ctx
end

local function task_of(result)
  if type(result) == "table" then
    local text, problem = K.encode(result)
    if not text then
      error("alc.pipe: the result cannot become a task: cannot encode " .. problem, 0)
    end
    return text
  end
  return K.tostring(result)
end

local function check(strategies, ctx, opts)
  if type(strategies) ~= "table" or strategies[1] == nil then
    return "strategies must be a non-empty array"
  elseif ctx ~= nil and type(ctx) ~= "table" then
    return "ctx must be a table, got " .. K.kind(ctx)
  end
  local i = 1
  while strategies[i] ~= nil do
    local stage = strategies[i]
    if type(stage) ~= "string" and type(stage) ~= "function" then
      return "stage " .. i .. " must be a name or a function, got " .. K.kind(stage)
    end
    i = i + 1
  end
  local mode = opts.on_error
  if type(mode) == "string" and mode ~= "abort" and mode ~= "skip" and mode ~= "continue" then
    return "on_error must be 'abort', 'skip' or 'continue', got '" .. mode .. "'"
  end
  return nil
end

-- One stage: whether it failed, and its error.
local function advance(state, stage, name, mode)
  local given = K.copy(state.ctx)
  local ok, outcome = pcall(function()
    local out = run_stage(stage, given)
    return { ctx = out, task = out.result ~= nil and task_of(out.result) or nil }
  end)
  local history = state.history
  if ok then
    history[#history + 1] = { strategy = name, result = outcome.ctx.result }
    state.ctx, state.task = outcome.ctx, outcome.task
    return false
  end
  local message = K.describe(outcome)
  history[#history + 1] = { strategy = name, error = message }
  K.log("warn", "alc.log", "alc.pipe: stage " .. #history .. " (" .. name .. ") failed: " .. message)
  if mode == "continue" then
    state.ctx, state.task = given, nil
  end
  return true, outcome
end

function K.alc.pipe(strategies, ctx, opts)
  opts = type(opts) == "table" and opts or {}
  local problem = check(strategies, ctx, opts)
  if problem then
    error("alc.pipe: " .. problem, 2)
  end
  local mode = type(opts.on_error) == "string" and opts.on_error or "abort"
  local state, i = { ctx = ctx or {}, history = {} }, 1
  while strategies[i] ~= nil do
    local stage = strategies[i]
    local name = type(stage) == "string" and stage or "(inline-" .. i .. ")"
    state.ctx = K.copy(state.ctx)
    state.ctx.pipe_history = state.history
    if state.task ~= nil then
      state.ctx.task, state.task = state.task, nil
    end
    local failed, failure = advance(state, stage, name, mode)
    if failed and mode == "abort" then
      error(failure, 0)
    elseif not failed and type(opts.on_stage) == "function" then
      opts.on_stage(i, name, state.ctx)
    end
    i = i + 1
  end
  state.ctx = K.copy(state.ctx)
  state.ctx.pipe_history = state.history
  return state.ctx
end
