"""Bad inputs of the kinds that sandboxes of Lua have failed on: forged bridges, what was taken out of the library,
memory, processor, the stack, error objects, and values on their way to the host. Numbers name rows, with gaps."""

from __future__ import annotations

from typing import Any

from .attack import LIMIT, LUA, SYNTAX, VALUE, Attack


def row(number: int, code: str, *allowed: str, **more: Any) -> Attack:
    """The attack of one row."""
    first = code.strip().splitlines()[0] if code.strip() else "(nothing)"
    return Attack(f"{number} {first}", code, allowed or (LUA,), **more)


def value(number: int, code: str, expected: Any, **more: Any) -> Attack:
    """A row whose script ends well, with this value."""
    return row(number, code, VALUE, value=expected, **more)


def error(number: int, code: str, says: str, **more: Any) -> Attack:
    """A row whose script ends in an error with this text."""
    return row(number, code, LUA, says=says, **more)


DEEP = "more than 96 levels"

BRIDGE = [
    value(1, 'return {python==nil and "nil" or "LEAK"}', ["nil"]),
    value(
        2,
        "return type(package)..type(require)..type(io)..type(debug.getregistry)..type(dofile)..type(loadfile)",
        "tablefunctiontablenilnilnil",
    ),
    value(4, 'local ok,e=pcall(alc.json_decode,"x") return type(e)', "string"),
    value(5, 'local ok,e=pcall(alc.llm,"\\255\\254\\0bad") return type(e)', "string"),
    value(7, "local ok,e=pcall(alc.llm) return {ok,type(e)}", [False, "string"]),
    value(8, "return {pcall(getmetatable,alc.llm)}", [True]),
    value(10, 'string.format=nil string.rep=function() return "pwn" end return ("x"):rep(3)', "pwn"),
    value(11, '_G.pcall=nil _G.type=nil _G.error=nil _G.load=nil local r=alc.llm("q") return r', "re: q"),
    value(13, 'local co=coroutine.wrap(function() return alc.llm("a") end) return co()', "re: a"),
    value(
        14,
        'return select("#",coroutine.resume(coroutine.create(function() coroutine.yield(1,2,3) end)))',
        4,
    ),
    value(16, "return setmetatable({},{__index=function(t,k) return alc.llm(k) end}).foo", "re: foo"),
]

REMOVED = [
    error(17, "return os.exit(0)", "field 'exit'"),
    error(19, 'return os.remove("x")', "field 'remove'"),
    value(20, 'return os.getenv("HOME")', None),
    error(22, 'return io.open("/etc/passwd")', "field 'open'"),
    error(23, 'return io.popen("id")', "field 'popen'"),
    value(25, 'local os = require("os") return {os.exit, os.execute, os.remove, os.rename, os.tmpname}', {}),
    error(26, 'return dofile("/etc/passwd")', "global 'dofile'"),
    error(28, "return debug.sethook()", "field 'sethook'"),
    error(29, "return debug.getinfo(1)", "field 'getinfo'"),
    error(31, "return debug.getupvalue(alc.llm,1)", "field 'getupvalue'"),
    error(32, "return string.dump(function() end)", "field 'dump'"),
    error(34, 'return collectgarbage("generational")', "only 'collect', 'step' and 'count'"),
    error(35, 'return warn("@on")', "global 'warn'"),
    value(
        37,
        'local f,e=load("\\27LuaS\\0\\25\\147","x","b") return {f==nil,e}',
        [True, "attempt to load a binary chunk (mode is 't')"],
    ),
    value(38, 'return load("return _G",nil,"t",nil) ~= nil', True),
    row(40, 'return load(function() return "x=1 " end)', VALUE, LUA),
    row(41, "\x1bLuaT\x00\x19\r\n\x1a\n", SYNTAX, says="binary"),
    value(43, "#!/usr/bin/lua\nreturn 1", 1),
    value(44, 'return "\\0" .. 1', "\x001"),
    value(46, 'local t = {} return string.format("%p",t) == string.format("%p",t)', True),
    value(47, 'return (tostring({}):gsub("%x+$", ""))', "table: 0x"),
]

MEMORY = [
    row(49, 'return #string.rep("x",1e9)', LUA, LIMIT),
    row(50, 'local s="x" while true do s=s..s end', LIMIT, says="memory"),
    row(
        52,
        'while true do pcall(function() local t={} for i=1,1e9 do t[i]=("y"):rep(1000)..i end end) end',
        LIMIT,
    ),
    row(
        53,
        'T={} pcall(function() for i=1,1e9 do T[i]=("y"):rep(10)..i end end) return alc.llm("big")',
        LIMIT,
        VALUE,
        answer=lambda prompt: "x" * 3_000_000,
    ),
    row(
        55,
        """local t={} for i=1,1e7 do
             local c=coroutine.create(function() coroutine.yield() end) coroutine.resume(c) t[i]=c
           end""",
        LIMIT,
        says="memory",
    ),
    row(56, 'return load("return "..string.rep("{",1e6)) == nil', VALUE, value=True),
    row(58, 'return string.rep("x",2e6)', VALUE),
    row(59, 'error(string.rep("x",1e7))', LUA, says="xxx"),
    row(
        61,
        """return table.concat(setmetatable({},{
             __len=function() return 1e9 end,__index=function() return "xxxxxxxx" end}))""",
        LIMIT,
    ),
    error(62, "return table.unpack({},1,1e7)", "too many results"),
    row(64, 'return #string.format(("%99d"):rep(5e5),1)', LUA, LIMIT),
]

PROCESSOR = [
    row(65, "while true do end", LIMIT, says="cpu_seconds"),
    row(67, "while true do pcall(function() while true do end end) end", LIMIT),
    row(
        68,
        "while true do xpcall(function() while true do end end,function() while true do end end) end",
        LIMIT,
    ),
    row(
        70,
        """while true do
             pcall(coroutine.wrap(function() while true do pcall(function() while true do end end) end end))
           end""",
        LIMIT,
    ),
    row(
        71,
        "local t=setmetatable({},{__close=function() while true do end end}) do local x<close> =t end return 1",
        LIMIT,
    ),
    error(73, "setmetatable({},{__gc=function() while true do end end})", "__gc is not available"),
    value(
        74,
        """local mt={} setmetatable({},mt) mt.__gc=function() while true do end end
           collectgarbage() return 1""",
        1,
    ),
    row(76, 'return string.find(("a"):rep(3000),(".-"):rep(8).."b$")', LIMIT),
    error(77, 'return #string.rep("",1e18)', "rep"),
    row(79, "table.move({},1,1e15,2)", LIMIT, LUA),
    row(
        80,
        """table.sort(setmetatable({},{__len=function() return 2^30 end,
             __index=function(t,i) return i end,__newindex=function() end}))""",
        LIMIT,
        LUA,
    ),
    value(82, 'return utf8.len(("a"):rep(1e7))', 10_000_000),
    row(83, "local function f() return f() end return f()", LIMIT),
    error(85, "return 1 // 0", "divide by zero"),
    error(86, "return 1 % 0", "attempt to perform 'n%"),
]

STACK = [
    row(88, "local function f() return pcall(f) end return f()", VALUE, LUA),
    error(89, 'local function f(s) return (string.gsub("x","x",f)) end return f("x")', "C stack overflow"),
    error(91, "local t={} setmetatable(t,{__index=t}) return t.x", "loop"),
    error(92, "local function f(n) return coroutine.wrap(f)(n+1) end return f(1)", "C stack overflow"),
    error(94, 'return string.find(("("):rep(1000),("("):rep(40)..(")"):rep(40))', "too many captures"),
    row(
        95,
        "local t={} setmetatable(t,{__tostring=function() return tostring(t) end}) return tostring(t)",
        LUA,
        says="overflow",
    ),
    error(97, "error()", "nil"),
    error(98, "error(nil)", "nil"),
    error(100, "error({})", "{}"),
    error(101, "error(function() end)", "function"),
    row(103, 'error("not enough memory")', LUA, says="not enough memory"),
    error(104, 'error("a\\nstack traceback:\\n\\t[C]: in ?")', "a\nstack traceback"),
    error(106, 'local x<close> = setmetatable({},{__close=function() error("c1") end}) error("c0")', "c1"),
    value(107, 'return xpcall(error,function(e) error(e) end,"x")', False),
]

VALUES = [
    error(109, "return 1/0", "infinity"),
    error(110, "return -1/0", "infinity"),
    value(112, "return 1<<62", 1 << 62),
    value(113, "return math.mininteger", -(1 << 63)),
    value(115, "return -0.0", -0.0),
    value(116, "return 5e-324", 5e-324),
    error(118, "return 1e308*10", "infinity"),
    error(119, 'return "\\255"', "UTF-8"),
    value(121, 'return "a\\0b"', "a\0b"),
    value(122, 'return "\\u{10FFFF}"', "\U0010ffff"),
    error(124, "local t={} t.x=t return t", "cycle"),
    error(125, "local t={} for i=1,100 do t={t} end return t", DEEP),
    value(127, "return {1,2,nil,4}", [1, 2, None, 4]),
    value(128, "return {[1]=1,x=2}", [1]),
    error(130, "return {[{}]=1}", "key of type table"),
    error(131, "return {[true]=1}", "key of type boolean"),
    error(133, "return coroutine.create(print)", "thread"),
    value(
        134,
        """return setmetatable({},{__pairs=function() while true do end end,
             __index=function() error("x") end,__len=function() return 1e9 end})""",
        {},
    ),
    value(136, "return {}", {}),
    value(137, "", None),
    value(139, "return setmetatable({1,2,3},{__index=function() while true do end end})", [1, 2, 3]),
    value(140, 'alc.llm=function() return "fake" end return alc.llm("x")', "fake"),
    row(142, 'return alc.llm(("x"):rep(2e6))', VALUE),
    value(143, 'return #alc.llm("x")', 3_000_000, answer=lambda prompt: "x" * 3_000_000),
]

LISTED = [*BRIDGE, *REMOVED, *MEMORY, *PROCESSOR, *STACK, *VALUES]
