-- The script's string library.

local K = ...
local rep, error = string.rep, error

local S = K.copy(string)
S.dump = nil
K.E.string = S
S.format = K.E_format
K.E_format = nil

local MAX_REPEATS = 1 << 28 -- an empty string repeated more often is a loop in C that nothing can stop

local checked_rep = K.guard("rep", rep)
function S.rep(...)
  local _, n = ...
  local count = K.whole(n)
  if count and count > MAX_REPEATS then
    error("bad argument #2 to 'rep' (at most 2^28 repeats)", 2)
  end
  return checked_rep(...)
end

local strings = getmetatable("")
strings.__index = S
strings.__metatable = false
