-- table.sort with the same order of ties everywhere.
--
-- The native one looks at the clock when more than 100 elements split badly. So above 100 this one is used: the same
-- quicksort, with a fixed pivot there. Up to 100, and wherever the native one does not look, the order is the native.

local K = ...
local type, error, pcall = type, error, pcall
local native = table.sort

local NATIVE_UP_TO = 100 -- elements; the size from which the native one may choose another pivot
local FIXED = 0x9E3779B9 -- stands where the native one has the clock; arbitrary

local INVALID = "invalid order function for sorting"

local function default_less(a, b)
  return a < b
end

-- Splits t[lo..up] around the pivot that stands at up - 1; returns its final place.
local function partition(t, lo, up, pivot, less)
  local i, j = lo, up - 1
  while true do
    i = i + 1
    while less(t[i], pivot) do
      if i == up - 1 then
        error(INVALID, 0)
      end
      i = i + 1
    end
    j = j - 1
    while less(pivot, t[j]) do
      if j < i then
        error(INVALID, 0)
      end
      j = j - 1
    end
    if j < i then
      t[up - 1], t[i] = t[i], t[up - 1]
      return i
    end
    t[i], t[j] = t[j], t[i]
  end
end

local function order(t, a, b, less)
  local first, second = t[a], t[b]
  if less(second, first) then
    t[a], t[b] = second, first
  end
end

-- The middle, as in the native one, until something split badly.
local function pivot_place(lo, up, random)
  if up - lo >= NATIVE_UP_TO and random ~= 0 then
    local quarter = (up - lo) // 4
    return random % (quarter * 2) + lo + quarter
  end
  return (lo + up) // 2
end

local function quicksort(t, lo, up, less, random)
  while lo < up do
    order(t, lo, up, less)
    if up - lo == 1 then
      return
    end
    local p = pivot_place(lo, up, random)
    local middle, first = t[p], t[lo]
    if less(middle, first) then
      t[p], t[lo] = first, middle
    else
      local last = t[up]
      if less(last, middle) then
        t[p], t[up] = last, middle
      end
    end
    if up - lo == 2 then
      return
    end
    local pivot = t[p]
    t[p], t[up - 1] = t[up - 1], pivot
    p = partition(t, lo, up, pivot, less)
    local shorter
    if p - lo < up - p then
      quicksort(t, lo, p - 1, less, random)
      shorter = p - lo
      lo = p + 1
    else
      quicksort(t, p + 1, up, less, random)
      shorter = up - p
      up = p - 1
    end
    if (up - lo) // 128 > shorter then
      random = FIXED
    end
  end
end

function K.E.table.sort(...)
  local t, less = ...
  if type(t) ~= "table" then
    error("bad argument #1 to 'sort' (table expected, got " .. K.got(1, ...) .. ")", 2)
  elseif less ~= nil and type(less) ~= "function" then
    error("bad argument #2 to 'sort' (function expected, got " .. type(less) .. ")", 2)
  end
  local n = #t
  local ok, problem
  if type(n) == "number" and n > NATIVE_UP_TO and n < 2147483647 then
    ok, problem = pcall(quicksort, t, 1, n, less or default_less, 0)
  else
    ok, problem = pcall(native, t, less)
  end
  if not ok then
    if type(problem) == "string" and (problem == INVALID or string.find(problem, "^bad argument")
      or string.find(problem, "^invalid order") or string.find(problem, "^array too big")) then
      error(string.gsub(problem, "to '[^']*'", "to 'sort'"), 2)
    end
    if type(problem) == "string" and less == nil then
      problem = string.gsub(problem, "^%?:%?: ", "") -- what Lua puts before a text for code without line numbers
    end
    error(problem, 0)
  end
end
