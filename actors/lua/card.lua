-- alc.card: the host keeps cards and checks what it is given.

local K = ...
local host = K.host

local card = {}
K.alc.card = card

-- `local result` keeps the frame: a tail call would lose the line that an error names.
local function define(name, count)
  local call = "card." .. name
  card[name] = function(...)
    local result = host(call, count, ...)
    return result
  end
end

define("create", 1)
define("get", 1)
define("list", 1)
define("append", 2)
define("alias_set", 3)
define("alias_list", 1)
define("get_by_alias", 1)
define("find", 1)
define("write_samples", 2)
define("read_samples", 2)
define("lineage", 1)
