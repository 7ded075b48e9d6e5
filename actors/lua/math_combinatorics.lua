-- Combinatorics.

local M, core = ...

--- 8! = 40 320 lists; one more would be 363 000, about 60 MiB.
local MAX_ITEMS = 8

-- Turns `list` into its successor in lexicographic order; false for the last.
local function advance(list)
  local n = #list
  local i = n - 1
  while i >= 1 and list[i] > list[i + 1] do
    i = i - 1
  end
  if i < 1 then
    return false
  end
  local j = n
  while list[j] < list[i] do
    j = j - 1
  end
  list[i], list[j] = list[j], list[i]
  local left, right = i + 1, n
  while left < right do
    list[left], list[right] = list[right], list[left]
    left, right = left + 1, right - 1
  end
  return true
end

-- All orders of 1..n, in lexicographic order.
function M.permutations(n)
  n = core.check.integer("permutations", "n", n, 1, MAX_ITEMS)
  local current, all = {}, {}
  for i = 1, n do
    current[i] = i
  end
  repeat
    local copy = {}
    for i = 1, n do
      copy[i] = current[i]
    end
    all[#all + 1] = copy
  until not advance(current)
  return all
end
