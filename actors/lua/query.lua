-- Questions: from what a script gives to what travels. A field of a wrong type counts as absent.

local K = ...
local type, next, sort, concat, format, huge = type, next, table.sort, table.concat, string.format, math.huge

local MAX_OPTIONS = 100 -- of one question, beside the known ones; models have a few dozen

local OWN = { prompt = true, system = true, max_tokens = true, grounded = true, underspecified = true }

-- The other options as JSON fields; nil if there are too many.
local function extra(opts)
  local names = {}
  for name in next, opts do
    if type(name) == "string" and not OWN[name] then
      names[#names + 1] = name
    end
  end
  sort(names)
  local fields = {}
  for i = 1, #names do
    local v, text = opts[names[i]], nil
    local t = type(v)
    if t == "string" then
      text = K.quote(v)
    elseif t == "boolean" or t == "number" and v == v and v ~= huge and v ~= -huge then
      text = K.encode(v)
    end
    if text then
      if #fields == MAX_OPTIONS then
        return nil
      end
      fields[#fields + 1] = K.quote(names[i]) .. ":" .. text
    end
  end
  return concat(fields, ",")
end

local function repaired(text, what)
  local good, changed = K.repair(text)
  if changed then
    K.log("warn", "engine", what .. " was not valid UTF-8; broken characters became U+FFFD")
  end
  return good
end

-- The limit on max_tokens is the host's business; here it must be a whole number, not below 0.
local function max_tokens(opts)
  local n = K.as_integer(opts.max_tokens)
  return n and n >= 0 and n or nil
end

-- JSON text of one question (`opts` may be nil); or nil and what is wrong with it.
function K.query(prompt, opts)
  local text = K.as_text(prompt)
  if not text then
    return nil, "prompt must be a string, got " .. K.kind(prompt)
  end
  text = repaired(text, "a prompt")
  local parts = { '{"prompt":' .. K.quote(text) }
  local size = #text
  if type(opts) == "table" then
    local system = K.as_text(opts.system)
    if system then
      system = repaired(system, "a system text")
      size = size + #system
      parts[#parts + 1] = '"system":' .. K.quote(system)
    end
    local tokens = max_tokens(opts)
    if tokens then
      parts[#parts + 1] = format('"max_tokens":%d', tokens)
    end
    if opts.grounded == true then
      parts[#parts + 1] = '"grounded":true'
    end
    if opts.underspecified == true then
      parts[#parts + 1] = '"underspecified":true'
    end
    local more = extra(opts)
    if not more then
      return nil, "more than " .. MAX_OPTIONS .. " options"
    elseif more ~= "" then
      size = size + #more
      parts[#parts + 1] = '"extra":{' .. more .. "}"
    end
  end
  if K.exceeds(size, "max_query_bytes") then
    return nil, K.over("a query of bytes", size, "max_query_bytes")
  end
  return concat(parts, ",") .. "}"
end

-- Asks; `queries` are JSON texts. Returns the answers, or nil and a message.
function K.ask(queries)
  if K.exceeds(#queries, "max_queries") then
    return nil, K.over("queries", #queries, "max_queries")
  end
  local ok, answers = K.request('{"t":"ask","queries":[' .. concat(queries, ",") .. "]", true)
  if ok then
    return answers
  end
  return nil, answers
end
