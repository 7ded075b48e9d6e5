"""Scripts that call the host where nobody expects it: from metamethods, callbacks and coroutines, again and again, and
with values of every kind."""

from __future__ import annotations

from .attack import LIMIT, LUA, VALUE, many
from .listed import error, row, value

ASKING = "setmetatable({}, {__index = function(t, k) if k == 'system' then return alc.llm('inner') end end})"

REENTRY = [
    value(400, f"return alc.llm('outer', {ASKING})", "re: outer"),
    value(
        401,
        "return alc.llm_batch({ setmetatable({}, {__index = function(t, k) if k == 'prompt' then return alc.llm('a') end end}) })",
        ["re: re: a"],
    ),
    value(402, "print(setmetatable({}, {__tostring = function() return alc.llm('a') end})) return 1", 1),
    value(
        403,
        "return string.format('%s', setmetatable({}, {__tostring = function() return alc.llm('a') end}))",
        "re: a",
    ),
    value(404, "return (('a'):gsub('a', function() return alc.llm('b') end))", "re: b"),
    value(
        405,
        "local t = {3, 1, 2} table.sort(t, function(a, b) alc.llm('?') return a < b end) return t",
        [1, 2, 3],
    ),
    value(
        406,
        "local t = {} for i = 1, 120 do t[i] = 121 - i end local n = 0 table.sort(t, function(a, b) n = n + 1 if n == 5 then alc.llm('?') end return a < b end) return t[1]",
        1,
    ),
    value(
        407,
        "return alc.parallel({1, 2}, function(i) return alc.llm('p' .. i) end)",
        ["re: re: p1", "re: re: p2"],
    ),
    value(
        408,
        "local s = setmetatable({}, {__close = function() alc.state.set('closed', alc.llm('bye')) end}) do local x <close> = s end return alc.state.get('closed')",
        "re: bye",
    ),
    error(
        409,
        "local x <close> = setmetatable({}, {__close = function() alc.llm('bye') end}) error('c0', 0)",
        "c0",
    ),
    value(
        410,
        "local a = setmetatable({}, {__add = function() return alc.llm('+') end, __concat = function() return alc.llm('..') end, __eq = function() return alc.llm('==') ~= nil end, __lt = function() return alc.llm('<') ~= nil end, __len = function() return #alc.llm('#') end, __call = function() return alc.llm('()') end, __unm = function() return alc.llm('-') end}) return {a + 1, a .. 'x', a == setmetatable({}, getmetatable(a)), a < a, #a, a(), -a}",
        ["re: +", "re: ..", True, True, 5, "re: ()", "re: -"],
    ),
    value(
        411,
        "local out = {} for k in setmetatable({}, {__call = function(_, _, k) if not k then return alc.llm('next') end end}) do out[#out + 1] = k end return out",
        ["re: next"],
    ),
    value(
        412,
        "local n = 0 return load(function() n = n + 1 return n == 1 and alc.llm('return 7 --') or nil end)()",
        7,
        answer=lambda prompt: prompt,
    ),
    value(413, "return (xpcall(error, function(e) return alc.llm(e) end, 'x'))", False),
    error(414, "error(setmetatable({}, {__tostring = function() return alc.llm('last') end}))", "re: last"),
    value(415, "return alc.state.update('u', function() return alc.llm('v') end)", "re: v"),
    value(
        416,
        "local co = coroutine.wrap(function() return alc.state.update('u', function() coroutine.yield() return 1 end) end) co() return co()",
        1,
    ),
    value(
        417,
        "local a = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(alc.llm('a' .. i)) end end) local b = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(alc.llm('b' .. i)) end end) return {a(), b(), a(), b(), a(), b()}",
        ["re: a1", "re: b1", "re: a2", "re: b2", "re: a3", "re: b3"],
    ),
    value(
        418,
        "local co = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() alc.llm('closing') end}) coroutine.yield() end) coroutine.resume(co) return {coroutine.close(co)}",
        [True],
    ),
    value(419, "return alc.map({1, 2}, function(i) return alc.llm(i) end)", ["re: 1", "re: 2"]),
    value(420, "return alc.pipe({function(c) return alc.llm(c.task) end}, {task = 't'}).result", "re: t"),
    value(421, "return alc.cache('x') .. alc.cache('x')", "re: xre: x"),
    value(
        422,
        "return (pcall(alc.llm, 'x', setmetatable({}, {__index = function() error('in the middle') end}))) or alc.llm('after')",
        "re: after",
    ),
    value(
        423,
        "local ok = pcall(alc.llm_batch, setmetatable({}, {__index = function(t, i) if i == 3 then error('third') end return {prompt = 'p'} end})) return {ok, alc.llm('after')}",
        [False, "re: after"],
    ),
    value(
        424,
        "return (pcall(alc.json_encode, setmetatable({}, {__pairs = error, __index = error, __len = error})))",
        True,
    ),
    value(425, "local f f = coroutine.wrap(function() alc.llm('a') f() end) return (pcall(f))", False),
    # a coroutine closes itself in the middle of a call
    *[
        row(
            430 + number,
            f"local co = coroutine.create(function() {code} end) coroutine.resume(co) return alc.llm('after')",
            VALUE,
            LUA,
            value="re: after",
        )
        for number, code in enumerate(
            [
                "coroutine.close()",
                "alc.llm('x', setmetatable({}, {__index = function() coroutine.close() end}))",
                "print(setmetatable({}, {__tostring = function() coroutine.close() end}))",
                "('x'):gsub('x', function() coroutine.close() end)",
                "table.sort({2, 1}, function() coroutine.close() end)",
                "pcall(coroutine.close)",
                "alc.state.update('k', function() coroutine.close() end)",
                "local x <close> = setmetatable({}, {__close = function() alc.llm('c') end}) coroutine.close()",
                "local x <close> = setmetatable({}, {__close = function() coroutine.close() end}) coroutine.close()",
                "require(setmetatable({}, {__tostring = function() coroutine.close() end}))",
                "alc.parallel({1}, function() coroutine.close() end)",
                "alc.fork(setmetatable({}, {__index = function() coroutine.close() end}), {})",
                "load(function() coroutine.close() end)",
                "alc.json_encode({setmetatable({}, {__index = function() coroutine.close() end})})",
                "error(setmetatable({}, {__tostring = function() coroutine.close() end}))",
                "alc.llm_safe('x', setmetatable({}, {__index = function() coroutine.close() end}))",
                "coroutine.close(coroutine.running())",
            ]
        )
    ],
    row(450, "coroutine.close() return 1", VALUE, LUA),
    row(451, "pcall(coroutine.close) return alc.llm('x')", VALUE, LUA),
    row(
        452,
        "local main = coroutine.running() local co = coroutine.wrap(function() coroutine.close(main) end) pcall(co) return alc.llm('x')",
        VALUE,
        LUA,
        value="re: x",
    ),
    row(
        453,
        "local main = coroutine.running() local co = coroutine.wrap(function() return coroutine.resume(main) end) return co()",
        VALUE,
        value=False,
    ),
    row(454, "coroutine.yield(1) return 2", LUA, says="outside a coroutine"),
    row(
        455,
        "local x <close> = setmetatable({}, {__close = function() coroutine.yield() end}) return 1",
        LUA,
        says="outside a coroutine",
    ),
    row(
        456,
        "local function f() local co = coroutine.wrap(f) return co() end return f()",
        LUA,
        says="overflow",
    ),
    row(
        457,
        "local co co = coroutine.create(function() return coroutine.resume(co) end) return select(2, coroutine.resume(co))",
        VALUE,
        value=False,
    ),
    row(458, "while true do coroutine.wrap(coroutine.yield)() end", LIMIT),
    row(
        459,
        "local t = {} while true do t[#t + 1] = coroutine.wrap(function() local x <close> = setmetatable({}, {__close = function() end}) coroutine.yield() end) t[#t]() end",
        LIMIT,
    ),
]

EDGE_OF_STACK = [
    value(
        470,
        """local problems, n = {}, 0
        local function deeper(...)
          n = n + 1
          if n > 150 then
            local ok, e = pcall(alc.llm, 'deep')
            if not ok and not tostring(e):find('overflow') then problems[#problems + 1] = tostring(e) end
          end
          return (('x'):gsub('x', deeper))
        end
        pcall(deeper)
        return { #problems, alc.llm('after') }""",
        [0, "re: after"],
    ),
    row(
        471,
        """local function deeper(n)
          if n > 199600 then pcall(alc.state.get, 'k') pcall(print, n) pcall(alc.json_encode, {n}) end
          local r = deeper(n + 1)
          return r
        end
        pcall(deeper, 1)
        return alc.llm('after')""",
        VALUE,
        LIMIT,
        limits={"cpu_seconds": many(5, 2), "slice_seconds": 30, "memory_bytes": 256 << 20},
    ),
    row(472, "local function f(...) return pcall(f, ...) end return (f(1, 2, 3))", VALUE, LUA),
    row(473, "local function f() return xpcall(f, f) end return (f())", VALUE, LUA),
    row(474, "local function h(e) return h(e) .. 'x' end return (xpcall(error, h, 'x'))", VALUE, value=False),
    row(475, "local function h(e) error(e) end return (xpcall(error, h, 'x'))", VALUE, value=False),
    row(476, "local function h(e) while true do end end return (xpcall(error, h, 'x'))", LIMIT),
    row(477, "return select('#', string.byte(('x'):rep(1e6), 1, -1))", LUA, VALUE),
]

EDGE_OF_MEMORY = """
local hoard = {}
local function fill(size)
  while pcall(function() hoard[#hoard + 1] = ('x'):rep(size) .. #hoard end) do end
end
for _, size in ipairs { 1 << 20, 1 << 16, 1 << 12, 1 << 9 } do fill(size) end
for i = 1, 60 do
  %s
  hoard[#hoard] = nil
end
hoard = nil
collectgarbage()
return alc.llm('after')
"""

MEMORY_EDGE = [
    row(
        480 + number,
        EDGE_OF_MEMORY % code,
        VALUE,
        LIMIT,
        value="re: after",
        answer=lambda prompt: "re: after" if prompt == "after" else "x" * 5000,
        limits={"cpu_seconds": 3, "slice_seconds": 30, "memory_bytes": 8 << 20},
    )
    for number, code in enumerate(
        [
            "pcall(alc.llm, 'x')",
            "pcall(alc.llm_batch, {{prompt = 'x'}, {prompt = 'y'}})",
            "pcall(alc.state.set, 'k', ('v'):rep(1000)) pcall(alc.state.get, 'k')",
            "pcall(print, i, ('x'):rep(100)) pcall(alc.log, 'info', i) pcall(alc.progress, i, 60, 'm')",
            "pcall(alc.stats.record, 'k' .. i % 3, {i, i})",
            'pcall(alc.json_decode, \'[[[1,2,3],{"a":"\\\\u00e9"}]]\') pcall(alc.json_encode, {a = {1, 2, {3}}})',
            "pcall(require, 'none' .. i)",
            "pcall(alc.map, {1, 2, 3}, function(x) return x end) pcall(alc.math.mean, {1, 2})",
            "pcall(alc.time) pcall(os.date) pcall(os.clock)",
            "pcall(error, ('e'):rep(1000)) pcall(load, 'return ' .. i)",
            "pcall(coroutine.wrap(function() alc.state.get('k') coroutine.yield() end))",
            "pcall(alc.fork, {'none'}, {}) pcall(alc.card.get, 'none')",
            "pcall(string.format, '%s %p', {}, {}) pcall(tostring, {}) pcall(alc.cache, 'c' .. i)",
        ]
    )
]

VALUES = [
    *[
        row(500 + number, f"return {code}", LUA, says=says)
        for number, (code, says) in enumerate(
            [
                ("alc.llm()", "prompt must be a string"),
                ("alc.llm({})", "prompt must be a string"),
                ("alc.llm(alc.null)", "got null"),
                ("alc.llm_batch()", "must be an array"),
                ("alc.llm_batch({})", "non-empty"),
                ("alc.llm_batch({1})", "item 1"),
                ("alc.llm_batch({{}})", "item 1"),
                ("alc.llm_batch('x')", "must be an array"),
                ("alc.progress(0/0, 1)", "must be numbers"),
                ("alc.progress('1', 1)", "must be numbers"),
                ("alc.state.set('k', print)", "cannot encode"),
                ("alc.state.set('k', 0/0)", "NaN"),
                ("alc.state.set({}, 1)", "key must be a string"),
                ("alc.state.set(('k'):rep(2000), 1)", "longer than 1024"),
                ("alc.state.incr('i', 0/0)", "NaN"),
                ("alc.state.incr('max', math.maxinteger) + alc.state.incr('max', 1)", "64 bits"),
                ("alc.state.incr('huge', 1e308) + alc.state.incr('huge', 1e308)", "not finite"),
                ("alc.card.create()", "must be a table"),
                ("alc.card.create({})", "pkg.name"),
                ("alc.card.create({pkg={name='../x'}})", "pkg.name"),
                ("alc.card.create({pkg={name='a/b'}})", "pkg.name"),
                ("alc.card.create({pkg={name='.hidden'}})", "pkg.name"),
                ("alc.card.create({pkg={name='a'}, card_id='../../x'})", "card_id"),
                ("alc.card.create({pkg={name='a'}, card_id='a\\0b'})", "card_id"),
                ("alc.card.create({pkg={name='a'}, created_at=5})", "created_at"),
                ("alc.card.get('../../etc/passwd')", "card_id"),
                ("alc.card.get('/etc/passwd')", "card_id"),
                ("alc.card.get(('x'):rep(1e5))", "card_id"),
                ("alc.card.alias_set('..', 'x')", ""),
                ("alc.card.read_samples('../x')", "card_id"),
                ("alc.card.find({where=5})", "where"),
                ("alc.card.find({limit=-1})", "whole number"),
                ("alc.card.find({limit=0.5})", "whole number"),
                ("alc.card.find({where={a={lt={}, b=1}}})", "mixes"),
                ("alc.card.lineage({card_id='x', direction='sideways'}) .. ''", ""),
                ("alc.json_decode(('['):rep(1e5))", "levels"),
                ("alc.json_decode('1e999')", "out of range"),
                ("alc.json_decode('\"\\\\ud800\"')", "surrogate"),
                ("alc.json_decode('NaN')", "no value"),
                ("alc.json_decode('{\"a\":1,}')", ""),
                ("alc.json_decode(('1'):rep(1e6))", "out of range"),
                ("alc.json_encode({[1.5] = 1})", "key of type number"),
                ("alc.json_encode({[0/0 == 0/0] = 1})", "key of type boolean"),
                ("alc.fork({}, {})", "non-empty"),
                ("alc.fork({'../x'}, {})", "must match"),
                ("alc.fork({'a\\0'}, {})", "must match"),
                ("alc.fork('x', {})", "must be an array"),
                ("alc.fork({'x'}, print)", "cannot encode ctx"),
                ("alc.fork({'x'}, {}, {on_error = 'explode'})", "on_error"),
                ("alc.chunk({})", "must be a string"),
                ("alc.math.factorial(171)", ""),
                ("alc.math.mean({})", ""),
                ("alc.math.rng_int({}, 1, 2)", ""),
                ("string.rep('x', 1 << 62)", "rep"),
                ("string.pack('i17', 1)", "out of limits"),
                ("string.unpack('s8', ('\\255'):rep(8))", "too short"),
                ("string.unpack('z', 'abc')", "unfinished"),
                ("string.format('%d', 1.5)", "integer representation"),
                ("string.format('%99.99f.%123d', 1, 2)", "invalid conversion"),
                ("string.format('%y', 1)", "invalid conversion"),
                ("string.format(('%d'):rep(300), 1)", "no value"),
                ("string.char(256)", "out of range"),
                ("utf8.char(-1)", "out of range"),
                ("utf8.codepoint('\\255', 1)", "invalid UTF-8"),
                ("utf8.codepoint(('a'):rep(1e6), 1, -1)", ""),
                ("table.concat({}, 'x', 1, 1e9)", "invalid value"),
                ("table.insert({}, 1 << 62, 1)", "out of bounds"),
                ("table.move({}, 1, math.maxinteger, 2)", "wrap around"),
                ("table.unpack({}, math.mininteger, math.maxinteger)", "too many results"),
                ("select(-1e9, 1)", "out of range"),
                ("math.random(0, -1)", "empty"),
                ("math.tointeger({}) + 1", "arithmetic on a nil"),
                ("math.mininteger // 0", "divide by zero"),
                ("tonumber('1', 99)", "out of range"),
                ("os.time({year = 1e18, month = 1, day = 1})", ""),
                ("os.date('*t', 1e300)", ""),
                ("os.date('%Ez')", "invalid conversion"),
                ("os.date('%')", "invalid conversion"),
                ("('x'):find('%')", "malformed"),
                ("('x'):find('[')", "malformed"),
                ("('x'):gsub('x', '%2')", "invalid capture"),
                ("('x'):find('%b')", "missing arguments"),
                ("('x'):find('%f')", "missing '['"),
                ("coroutine.wrap(5)", "function expected"),
                ("coroutine.resume(5)", "thread expected"),
                ("1 < {}", "compare"),
                ("({})()", "call a table"),
                ("nil .. 'x'", "concatenate"),
                ("1 & 1.5", "integer representation"),
            ]
        )
    ],
    value(600, "return math.mininteger // -1 == math.mininteger and math.mininteger % -1", 0),
    value(601, "return 2^53 == 2^53 + 1", True),
    value(602, "return alc.llm(1/0)", "re: inf"),
    value(603, "return alc.llm('a\\0b\\27[31m')", "re: a\0b\x1b[31m"),
    value(604, "return alc.llm('\\255\\254') ~= nil", True),
    value(
        605,
        "return alc.llm('x', {max_tokens = math.maxinteger, temperature = -0.0, a = ('k'):rep(10), ['\\0'] = 1, ['\\27'] = true, [('n'):rep(1e4)] = 5})",
        "re: x",
    ),
    value(
        606,
        "return alc.llm('x', {max_tokens = -1, system = {}, grounded = 'yes', f = print, t = {}, n = 0/0, [1] = 2})",
        "re: x",
    ),
    value(607, "local o = {} for i = 1, 100 do o['k' .. i] = i end return alc.llm('x', o)", "re: x"),
    error(
        608,
        "local o = {} for i = 1, 101 do o['k' .. i] = i end return alc.llm('x', o)",
        "more than 100 options",
    ),
    row(609, "local o = {} for i = 1, 2e5 do o['k' .. i] = i end return alc.llm('x', o)", LUA, LIMIT),
    value(610, "return alc.json_decode('[' .. ('0,'):rep(1e5) .. '0]')[1]", 0),
    value(611, "return alc.json_extract(('{'):rep(1e5) .. '{\"a\":1}')", {"a": 1}),
    row(612, "return alc.json_extract(('{'):rep(2e5) .. ('}'):rep(2e5))", VALUE, LIMIT),
    value(613, "return alc.json_encode({[1] = 1, [1 << 62] = 2})", '{"1":1,"4611686018427387904":2}'),
    row(614, "local t = {} for i = 1, 251000 do t[i] = {} end return t", LUA, LIMIT, says="tables"),
    row(615, "return ('['):rep(1e6)", VALUE),
    row(616, "return ('{\"'):rep(1e6)", VALUE),
    value(
        617,
        "alc.log({}, {}) alc.log(nil, nil) alc.log() alc.log('\\27[31m', '\\27]0;title\\7') print() print(nil, '\\r\\n\\27c') return 1",
        1,
    ),
    value(
        618,
        "io.write('a', 1, '\\27[2J') io.stderr:write('\\7') io.stdout:write('x'):flush() return {io.read == nil, io.lines == nil}",
        [True, True],
    ),
    value(619, "print(table.unpack({}, 1, 1e5)) return 1", 1),
    value(
        620,
        "alc.progress(1e308, -1e308, ('m'):rep(1e6)) alc.progress(math.maxinteger, math.mininteger, '\\27[31m') return 1",
        1,
    ),
    error(621, "return alc.state.get(('k'):rep(1e6))", "1024"),
    value(
        622,
        "alc.state.set('\\0\\27\\n', {['\\0'] = alc.null, [''] = {}}) return alc.state.get('\\0\\27\\n')",
        {"\0": None, "": {}},
    ),
    value(623, "return alc.state.get('never', {a = 1})", {"a": 1}),
    error(624, "error(coroutine.create(print))", "thread"),
    error(625, "error(alc.null)", "null"),
    error(626, "error('\\255\\0\\27[31m', 0)", "\0\x1b[31m"),
    error(627, "error(1/0)", "inf"),
    error(628, "error({code = 5, inner = {1, 2}})", '{"code":5,"inner":[1,2]}'),
    row(629, "error(setmetatable({}, {__tostring = function() while true do end end}))", LIMIT),
    row(630, "error(setmetatable({}, {__tostring = function() error('inside') end}))", LUA),
    row(631, "error(setmetatable({}, {__tostring = function() return ('x'):rep(1e6) end}))", LUA),
    row(632, "error({('x'):rep(1e6)})", LUA),
    row(633, "local t = {} t.t = t error(t)", LUA),
    row(634, "error('a reply of the host does not fit in memory_bytes')", LUA),
    row(635, "error('x is more than max_queries (1000)', 0)", LUA),
    row(636, "error('budget_exceeded: max_llm_calls (1) reached (1 used)', 0)", LUA),
]

BRIDGE = [*REENTRY, *EDGE_OF_STACK, *MEMORY_EDGE, *VALUES]
