-- alc.eval: a strategy measured against a scenario, by the package `evalframe`.
--
-- Of that package are used: suite(name)(spec):run():to_table(), bind{…}, grader(name){check}, graders, scorers,
-- llm_graders and providers.algocline{strategy, opts}.

local K = ...
local alc = K.alc
local type, pcall, error = type, pcall, error

-- While that package is loaded it takes JSON, a clock and files from a global `std`; here there are no files.
function K.standard()
  return {
    json = { encode = alc.json_encode, decode = alc.json_decode },
    time = { now = alc.time },
    fs = {
      read = function()
        error("std.fs.read: a session cannot read files", 2)
      end,
      is_file = function()
        return false
      end,
    },
  }
end

local function frame_of()
  local ok, frame = pcall(K.require, "evalframe")
  if not ok then
    return nil, "alc.eval needs the package 'evalframe', which is not installed or does not load: " .. K.describe(frame)
  elseif type(frame) ~= "table" or frame.suite == nil or frame.bind == nil then
    return nil, "alc.eval: the package 'evalframe' that is installed has no suite and bind"
  end
  return frame
end

-- The scenario as a table, and its name.
local function scenario_of(scenario)
  if type(scenario) == "table" then
    return scenario, K.as_text(scenario.name) or "inline"
  elseif type(scenario) ~= "string" then
    return nil, "scenario must be a table or the name of a package, got " .. K.kind(scenario)
  end
  local ok, spec = pcall(K.require, scenario)
  if not ok then
    return nil, "scenario '" .. scenario .. "' cannot be loaded: " .. K.describe(spec)
  elseif type(spec) ~= "table" then
    return nil, "scenario '" .. scenario .. "' must return a table, got " .. K.kind(spec)
  end
  return spec, scenario
end

-- A judge asks as everything else does; `role` lets the host send it to another model.
local function judge(prompt)
  local answer = alc.llm(prompt, { role = "grader" })
  return answer
end

local RUBRIC = "Is it correct, does it answer what was asked, and does it give its reasons?"
local QUESTION = "Is the response a correct and complete answer to the input?"

local function judged(frame, name)
  local graders = frame.llm_graders or {}
  local how = { provider = judge }
  if name == "llm_rubric" and graders.rubric then
    return { graders.rubric(RUBRIC, how), frame.scorers.linear_1_5 }
  elseif name == "llm_yes_no" and graders.yes_no then
    return { graders.yes_no(QUESTION, how), frame.scorers.bool }
  elseif name == "llm_factuality" and graders.factuality then
    return { graders.factuality(how), frame.scorers.linear_1_5 }
  end
  return nil
end

local function binding_of(frame, grader, i)
  if type(grader) == "function" then
    if frame.grader ~= nil then -- what it binds are graders, never bare functions
      grader = frame.grader("grader-" .. i)({ check = grader })
    end
    return frame.bind({ grader })
  elseif type(grader) ~= "string" then
    return nil, "a grader must be a name or a function, got " .. K.kind(grader)
  end
  local parts = judged(frame, grader)
  if parts then
    return frame.bind(parts)
  end
  local found = frame.graders and frame.graders[grader]
  if found == nil then
    return nil, "unknown grader '" .. grader .. "'"
  end
  return frame.bind({ found })
end

-- What the suite is made of: the scenario's own bindings, or one for each of its graders.
local function suite_of(frame, spec, strategy, opts)
  local suite, i = { cases = spec.cases or {}, provider = spec.provider }, 1
  if suite.provider == nil then
    if type(frame.providers) ~= "table" or frame.providers.algocline == nil then
      return nil, "the package 'evalframe' that is installed cannot run strategies"
    end
    suite.provider = frame.providers.algocline({ strategy = strategy, opts = opts.strategy_opts })
  end
  while spec[i] ~= nil do
    suite[i] = spec[i]
    i = i + 1
  end
  if i > 1 then
    return suite
  end
  local graders = type(spec.graders) == "table" and spec.graders or { "exact_match" }
  while graders[i] ~= nil do
    local binding, problem = binding_of(frame, graders[i], i)
    if not binding then
      return nil, problem
    end
    suite[i] = binding
    i = i + 1
  end
  return suite
end

local function keep_card(report, name, strategy, opts)
  local totals = type(report.aggregated) == "table" and report.aggregated or {}
  local scores = type(totals.scores) == "table" and totals.scores or {}
  local made = alc.card.create({
    pkg = { name = K.as_text(opts.card_pkg) or strategy },
    scenario = { name = name },
    stats = { pass_rate = totals.pass_rate, mean_score = scores.mean, n = totals.total, passed = totals.passed },
  })
  if type(report.results) == "table" and report.results[1] ~= nil then
    alc.card.write_samples(made.card_id, report.results)
  end
  report.card_id = made.card_id
end

function alc.eval(scenario, strategy, opts)
  opts = type(opts) == "table" and opts or {}
  if type(strategy) ~= "string" then
    error("alc.eval: strategy must be the name of a package, got " .. K.kind(strategy), 2)
  end
  local frame, problem = frame_of()
  if not frame then
    error(problem, 2)
  end
  local spec, name = scenario_of(scenario)
  if not spec then
    error("alc.eval: " .. name, 2)
  end
  local suite
  suite, problem = suite_of(frame, spec, strategy, opts)
  if not suite then
    error("alc.eval: " .. problem, 2)
  end
  local report = frame.suite(strategy .. ":" .. name)(suite):run():to_table()
  if opts.auto_card == true then
    keep_card(report, name, strategy, opts)
  end
  return report
end
