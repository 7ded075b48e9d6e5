-- Runs before the boot chunk, while everything is still there: what a walk needs, and which C function is which.
do
  local w = { debug = {}, names = {}, leaks = {} }
  for name, each in next, debug do
    w.debug[name] = each
  end
  for library, members in next, debug.getregistry()._LOADED do
    for name, each in next, members do
      if type(each) == "function" and (w.names[each] == nil or library ~= "_G") then
        w.names[each] = (library == "_G" and "" or library .. ".") .. name
      end
    end
  end
  w.names[(ipairs({}))] = "an iterator"
  w.names[(utf8.codes(""))] = "an iterator"
  w.names[(utf8.codes("", true))] = "an iterator"
  for _, each in next, { debug.getregistry()["FILE*"], debug.getregistry()["FILE*"].__index } do
    for member, f in next, each do
      if type(f) == "function" then
        w.names[f] = "a pipe's " .. member
      end
    end
  end
  for name, each in next, debug.getmetatable("") do
    if name ~= "__index" then
      w.names[each] = "arithmetic of strings"
    end
  end
  w.leaks.python = python
  w.leaks.object = python.none
  w.leaks.execute = os.execute
  w.leaks.sethook = debug.sethook
  w.leaks.file = io.stdout
  math.walk = w
end
