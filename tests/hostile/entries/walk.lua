-- Gives scripts `walk(roots, how)`: what can be reached from `roots`, as {name, path} of each C function and userdata.
--
-- `how` is "script": keys and values of tables, and metatables that are shown; what a script can take hold of.
-- Or "vm": upvalues, hidden metatables, user values and the stacks of coroutines too; what is there at all.

local K = ...
local w = math.walk
math.walk = nil
local d, names, leaks = w.debug, w.names, w.leaks
local next, type, tostring, getmetatable, coroutine_status = next, type, tostring, getmetatable, coroutine.status

local function what_of(value, null)
  if type(value) == "userdata" then
    if value == null then
      return "null"
    end
    local mt = d.getmetatable(value)
    return "userdata " .. tostring(mt and mt.__name)
  end
  if names[value] then
    return names[value]
  end
  local first, kept = d.getupvalue(value, 1)
  local is_wrap = first == "" and type(kept) == "thread"
  return is_wrap and "wrapped coroutine" or "unknown C function"
end

local function walk(roots, how)
  local seen, found, queue = { [w] = true, [names] = true, [leaks] = true, [d] = true }, {}, {}
  seen[walk] = true
  local function visit(value, path)
    local kind = type(value)
    if value == nil or kind == "string" or kind == "number" or kind == "boolean" or seen[value] then
      return
    end
    seen[value] = true
    if kind == "userdata" or kind == "function" and d.getinfo(value, "S").what == "C" then
      found[#found + 1] = { what_of(value, K.null), path }
    end
    queue[#queue + 1] = { value, path }
  end
  local function look_into(value, path)
    local kind = type(value)
    if kind == "table" then
      for key, each in next, value do
        local step = path .. "." .. (type(key) == "string" and key or type(key))
        visit(key, step .. " (key)")
        visit(each, step)
      end
    end
    visit(getmetatable(value), path .. " (metatable)")
    if how ~= "vm" then
      return
    end
    visit(d.getmetatable(value), path .. " (hidden metatable)")
    if kind == "function" then
      for n = 1, 255 do
        local name, each = d.getupvalue(value, n)
        if not name then
          break
        end
        visit(each, path .. " ^" .. name)
      end
    elseif kind == "userdata" and value ~= K.null then
      visit(d.getuservalue(value, 1), path .. " (user value)")
    elseif kind == "thread" and coroutine_status(value) == "suspended" then
      local level = 0
      while d.getinfo(value, level, "f") do
        visit(d.getinfo(value, level, "f").func, path .. " (frame)")
        for n = 1, 200 do
          local name, each = d.getlocal(value, level, n)
          if not name then
            break
          end
          visit(each, path .. " @" .. name)
        end
        level = level + 1
      end
    end
  end
  visit(roots, "")
  visit("", "")
  visit(d.getmetatable(""), "(metatable of strings)")
  local at = 0
  while at < #queue do
    at = at + 1
    look_into(queue[at][1], queue[at][2])
  end
  return { found = found, count = at }
end

K.E.walk = walk

-- For the positive control: things that no script may have.
function K.E.leak(name)
  return leaks[name]
end
