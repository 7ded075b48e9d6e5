-- alc.eval: a strategy measured against a scenario, by the package `evalframe`.

local K = ...
local alc = K.alc
local type, pcall, error = type, pcall, error

local function frame_of()
  local ok, frame = pcall(K.require, "evalframe")
  if not ok then
    return nil, "alc.eval needs the package 'evalframe', which is not installed: " .. K.describe(frame)
  end
  local run = type(frame) == "table" and (frame.eval or frame.run)
  if type(run) ~= "function" then
    return nil, "alc.eval: the package 'evalframe' that is installed has neither a function eval nor run"
  end
  return run
end

local function name_of(scenario)
  if type(scenario) == "table" then
    return K.as_text(scenario.name) or "scenario"
  end
  return K.as_text(scenario) or "scenario"
end

function alc.eval(scenario, strategy, opts)
  opts = type(opts) == "table" and opts or {}
  local run, problem = frame_of()
  if not run then
    error(problem, 2)
  end
  local report = run(scenario, strategy, opts)
  if opts.auto_card == true then
    local pkg = K.as_text(opts.card_pkg) or K.as_text(strategy) or "eval"
    local made = alc.card.create({ pkg = { name = pkg }, scenario = { name = name_of(scenario) }, report = report })
    if type(report) == "table" then
      report.card_id = made.card_id
    end
  end
  return report
end
