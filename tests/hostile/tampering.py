"""Scripts that change what they can reach, and then use what should still work."""

from __future__ import annotations

from .attack import LIMIT, LUA, SYNTAX, VALUE
from .listed import error, row, value

WIPE = """
local llm, log, get, set, encode, decode = alc.llm, alc.log, alc.state.get, alc.state.set, alc.json_encode, alc.json_decode
local map, chunk, mean = alc.map, alc.chunk, alc.math.mean
for _, lib in next, {string, table, math, utf8, coroutine, os, io, debug, package.loaded, package} do
  for name in next, lib do lib[name] = function() return "pwned" end end
end
local globals = _G
for name in next, globals do globals[name] = "pwned" end
"""

GLOBALS = [
    value(200, "alc.llm = nil return alc.llm == nil and type(alc.llm_batch)", "function"),
    error(201, "alc.llm = nil return alc.llm('x')", "field 'llm'"),
    value(202, "alc.llm = nil return alc.ground and (pcall(alc.ground, 'x'))", False),
    value(203, "alc.llm = function() return 'mine' end return alc.ground('x')", "mine"),
    value(204, "local a = alc alc = nil return a.llm('x')", "re: x"),
    value(205, "local a = alc _ENV = {} return a.llm('x')", "re: x"),
    value(206, "local llm = alc.llm local _ENV <const> = {} return llm('x')", "re: x"),
    value(
        207,
        WIPE
        + "set('k', {1}) log('info', 'x') return llm(encode(decode(encode({ #map({1}, llm), #chunk('a'), mean({3}), get('k') }))))",
        "re: [1,1,3.0,[1]]",
    ),
    value(
        208,
        "local a, p = alc, print setmetatable(_G, {__index = error, __newindex = error, __pairs = error}) p('x') return a.llm('x')",
        "re: x",
    ),
    value(209, "local g = _G for k in pairs(g) do g[k] = nil end return 1", 1),
    value(210, "for k in pairs(alc) do alc[k] = nil end return 1", 1),
    value(211, "return {pcall(setmetatable, alc, nil)}", [False, "cannot change a protected metatable"]),
    value(
        212,
        "alc = setmetatable({}, {__index = alc, __newindex = error}) return alc.llm('x') .. #alc.map({1,2}, function() return 1 end)",
        "re: x2",
    ),
    value(213, "_G._G = nil _G = 5 return alc.llm('x')", "re: x"),
    value(214, "ctx = nil return alc.llm('x')", "re: x"),
    error(215, "print = nil tostring = nil error('plain', 0)", "plain"),
]

METATABLES = [
    value(
        220,
        "return {pcall(setmetatable, '', {})}",
        [False, "bad argument #1 to 'setmetatable' (table expected, got string)"],
    ),
    value(221, "return getmetatable('')", False),
    error(222, "getmetatable('').__index = {}", "index a boolean value"),
    value(
        223,
        "return {getmetatable(alc.null), tostring(alc.null), type(alc.null)}",
        [False, "null", "userdata"],
    ),
    error(224, "alc.null.x = 1", "index a userdata"),
    value(
        225, "string.upper = function() return 'mine' end return ('x'):upper() .. alc.llm('x')", "minere: x"
    ),
    value(226, "return {getmetatable(print), getmetatable(1), getmetatable(nil), getmetatable(true)}", {}),
    value(227, "return (pcall(function() return (1).x end))", False),
    error(228, "return setmetatable({}, {__gc = true})", "__gc is not available"),
    error(229, "return setmetatable({}, {__gc = false})", "__gc is not available"),
    value(
        230,
        # a metatable that gets its finalizer late, given to whatever copies metatables
        """local ran = 0
        local mt = {} local opts = setmetatable({}, mt)
        mt.__gc = function() ran = ran + 1 end
        for i = 1, 50 do
          pcall(alc.ground, 'a', opts) pcall(alc.specify, 'a', opts) pcall(alc.cache, 'a', opts)
          pcall(alc.llm_json, 'a', opts) pcall(alc.llm_safe, 'a', opts) pcall(alc.parallel, {1}, function() return 'x' end, opts)
          pcall(alc.tuning, opts, opts) pcall(alc.pipe, {function(c) return c end}, opts) pcall(alc.fork, {'x'}, opts)
        end
        opts = nil collectgarbage() collectgarbage()
        return ran""",
        0,
        feeds=1000,
    ),
    value(
        231,
        "local t = setmetatable({}, {__metatable = 'no'}) return {getmetatable(t), pcall(setmetatable, t, nil)}",
        ["no", False, "cannot change a protected metatable"],
    ),
    error(
        232,
        "return setmetatable({}, setmetatable({}, {__index = function() error('asked for __gc') end})) .. 1",
        "concatenate a table",
    ),
    value(233, "local t = setmetatable({}, {__mode = 'kv'}) t[1] = {} collectgarbage() return #t", 0),
    value(
        234,
        "local mt = {} mt.__index = mt local t = setmetatable({}, mt) mt.__name = ('x'):rep(1e5) return #tostring(t) > 1e5",
        True,
    ),
    value(235, "return (tostring(setmetatable({}, {__name = 'A'})):gsub('0x%x+', ''))", "A: "),
    error(
        236,
        "return tostring(setmetatable({}, {__tostring = function() return {} end}))",
        "must return a string",
    ),
    error(237, "return #setmetatable({}, {__len = function() return 'x' end}) + 1", "attempt to add a"),
    row(238, "return setmetatable({}, {__index = function(t, k) return t[k] end}).x", LUA, says="overflow"),
    row(239, "return setmetatable({}, {__eq = 1, __lt = 2, __le = 3, __call = 4})()", LUA, says="call a"),
    row(240, "local t = {} for i = 1, 300 do t = setmetatable({}, {__call = t}) end return t()", LUA),
    row(
        241,
        "local t = {} for i = 1, 3000 do t = setmetatable({}, {__index = t}) end return t.x",
        LUA,
        says="chain too long",
    ),
    row(
        242,
        "local t = {} for i = 1, 3000 do t = setmetatable({}, {__newindex = t}) end t.x = 1",
        LUA,
        says="chain too long",
    ),
]

PACKAGES = [
    value(
        250, "package.loaded = nil package.preload = nil package = nil return (pcall(require, 'none'))", False
    ),
    value(251, "package.loaded.alc = {llm = 1} return require('alc').llm", 1),
    value(252, "package.preload.x = function(...) return select('#', ...) end return require('x')", 2),
    error(253, "package.preload.x = function() error('inside', 0) end return require('x')", "inside"),
    value(254, "package.preload.x = function() return require('x') end return (pcall(require, 'x'))", False),
    row(
        255,
        "setmetatable(package.preload, {__index = function(t, k) return function() return k end end}) return require('anything')",
        VALUE,
        value="anything",
    ),
    row(
        256,
        "setmetatable(package.loaded, {__index = function(t, k) return 'from ' .. k end}) return require('x')",
        VALUE,
        value="from x",
    ),
    row(
        257,
        "package.path = '/etc/?' package.cpath = '/lib/?.so' package.searchers = {} package.loadlib = 1 return require('passwd')",
        LUA,
        says="not found",
    ),
    *[
        row(260 + number, f"return require({name})", LUA, says=says)
        for number, (name, says) in enumerate(
            [
                ("'../../etc/passwd'", "not allowed"),
                ("'/etc/passwd'", "not allowed"),
                ("'a/b'", "not allowed"),
                ("'a\\0b'", "NUL"),
                ("''", "not allowed"),
                ("'.'", "not allowed"),
                ("'a..b'", "not allowed"),
                ("'a.'", "not allowed"),
                ("('a.'):rep(1e5) .. 'a'", "not allowed"),
                ("('a'):rep(256)", "not allowed"),
                ("'\\255'", "not allowed"),
                ("'a\\nb'", "not allowed"),
                ("{}", "string expected"),
                ("nil", "string expected"),
                ("1", "not found"),
                ("'session'", "not found"),
                ("'é'", "not allowed"),
            ]
        )
    ],
]

LOADING = [
    *[
        value(
            280 + number, f"local f, e = load({code}) return {{f == nil, (e or ''):sub(1, 60)}}", [True, text]
        )
        for number, (code, text) in enumerate(
            [
                ("'\\27Lua'", "attempt to load a binary chunk (mode is 't')"),
                ("'\\27Lua', 'x', 'b'", "attempt to load a binary chunk (mode is 't')"),
                ("'\\27Lua', 'x', 'bt'", "attempt to load a binary chunk (mode is 't')"),
                ("'return 1', 'x', 'b'", "attempt to load a text chunk (mode is 'b')"),
                ("'return 1', 'x', ''", "attempt to load a text chunk (mode is '')"),
            ]
        )
    ],
    value(
        290,
        "local n = 0 local f, e = load(function() n = n + 1 return ({'\\27', 'Lua'})[n] end, 'x', 'bt') return {f == nil, e}",
        [True, "attempt to load a binary chunk (mode is 't')"],
    ),
    value(
        291,
        "local n = 0 local f, e = load(function() n = n + 1 return ({'\\27', 'Lua'})[n] end) return f == nil",
        True,
    ),
    value(292, "return (load(function() return {} end)) == nil", True),
    value(293, "local f, e = load(function() error('in reader', 0) end) return e", "in reader"),
    value(294, "local f = load(function() return nil end) return f ~= nil and f() == nil", True),
    error(295, "return load('return x', 'n', 't', 5)()", "index a number"),
    value(296, "return load('return ...', 'x')(1, 2)", 1),
    value(
        297, "return select(2, load('x = = 1', '=\\27[31mred'))", "\x1b[31mred:1: unexpected symbol near '='"
    ),
    value(298, "return #select(2, load('x = = 1', ('y'):rep(1e5))) < 200", True),
    row(299, "return load('return ' .. ('-'):rep(1e6) .. '1')", LUA, VALUE),
    *[
        value(300 + number, f"return load({code}) == nil", True)
        for number, code in enumerate(
            [
                "('return ' .. ('('):rep(1e5) .. '1')",
                "(('do '):rep(1e5))",
                "(('local a '):rep(1e4))",
                "('return ' .. ('{'):rep(1e5))",
                "('return ' .. ('a.'):rep(10) .. '1')",
                "('goto nowhere')",
                "('::a:: ::a::')",
                "('break')",
                "('x = \\'' .. ('\\\\'):rep(1e5))",
                "('return \\'\\\\u{FFFFFFFFF}\\'')",
                "('return 0x')",
                "('--[[' .. ('['):rep(1e5))",
                "('local x <const> = 1; x = 2')",
                "('local x <close>, y <close> = 1, 2')",
                "('for i = 1, 3 do i = 2 end')",
                "(('return function() '):rep(300) .. ('end '):rep(300))",
                "('return ' .. ('f('):rep(1e4))",
                "('if ' .. ('not '):rep(1e6))",
                "('return ' .. ('#'):rep(1e5) .. 'x')",
                "('\\255\\254')",
                "('return 1 2')",
            ]
        )
    ],
    row(330, "return load('return ' .. ('1+'):rep(4e5) .. '1')()", VALUE, LUA, LIMIT),
    row(331, "return #load('return {' .. ('1,'):rep(8e5) .. '}')()", VALUE, LUA, LIMIT),
    row(
        332,
        "local s = {} for i = 1, 3e5 do s[i] = 'x' .. i .. '=' .. i end return load(table.concat(s, ' ')) ~= nil",
        VALUE,
        LUA,
        LIMIT,
    ),
    row(333, "return load('return [==[' .. ('x'):rep(1.9e6) .. ']==]')() ~= nil", VALUE, LIMIT),
    row(334, "while true do load('return ' .. math.random()) end", LIMIT),
    row(335, "::a:: goto a", LIMIT),
    row(336, "global none; x = 1", SYNTAX),
    row(
        337,
        "local s = 'local a = 1;' s = s:rep(150) return load('local function f() ' .. s .. ' end')",
        VALUE,
        LUA,
    ),
    # named varargs are new in 5.5: a table whose n the function may change
    *[
        row(
            340 + number,
            f"local function f(...t) {code} return ... end return select('#', f(1, 2, 3))",
            VALUE,
            LUA,
            LIMIT,
            SYNTAX,
        )
        for number, code in enumerate(
            [
                "t.n = 0",
                "t.n = -1",
                "t.n = 1 << 40",
                "t.n = 'x'",
                "t.n = nil",
                "t.n = 1e6",
                "t.n = 0/0",
                "for i = 1, 1e5 do t[i] = i end t.n = 1e5",
            ]
        )
    ],
]

TAMPERING = [*GLOBALS, *METATABLES, *PACKAGES, *LOADING]
