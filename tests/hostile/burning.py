"""Scripts that burn: the processor in every function of C that can be long at it, memory in every way there is, and the
host, by floods of logs, questions, calls, forks, keys and cards."""

from __future__ import annotations

from .attack import CANCELLED, LIMIT, LUA, VALUE, many
from .listed import row, value

PROCESSOR = [
    row(700 + number, code, LIMIT)
    for number, code in enumerate(
        [
            "return ('a'):rep(4e6):find(('a'):rep(2e6) .. 'b', 1, true)",
            "return ('a'):rep(1e5):gsub('.-b', '')",
            "return ('a'):rep(40):find(('a*'):rep(40) .. 'b')",
            "return ('('):rep(1e5):gsub('%b()', '')",
            "return ('x'):rep(5e5):match('^(.-)(.-)(.-)(.-)y$')",
            "for w in ('a '):rep(1e7):gmatch('%a+') do end while true do end",
            "for i = 1, math.huge do end",
            "local i = 0 while i >= 0 do i = i + 1 end",
            "local t = {} while true do t[1] = nil t[#t + 1] = 1 end",
            "while true do table.insert({}, 1, 1) end",
            "local t = {} for i = 1, 3e5 do t[i] = i end for i = 1, 3e5 do table.insert(t, 1, i) table.remove(t, 1) end",
            "local t = {} for i = 1, 1e6 do t[i] = 1 end while true do table.concat(t) end",
            "while true do tostring(math.random()):upper():lower():reverse():byte() end",
            "while true do string.format('%.99f', 1e308) end",
            "while true do os.date('%c') os.time() os.clock() end",
            "while true do alc.time() end",
            "while true do pcall(error) end",
            "while true do collectgarbage() end",
            "local t = {} for i = 1, 2e5 do t[i] = {} end while true do collectgarbage('step') end",
            "while true do string.unpack('i8', string.pack('i8', 1)) end",
            "while true do load('return 1')() end",
            "while true do pcall(setmetatable, 1, 2) end",
            "while true do utf8.len(('é'):rep(1e5)) end",
            "while true do alc.json_decode(alc.json_encode({1, {a = 2}})) end",
            "while true do alc.json_extract(('{\"a\":'):rep(1e4)) end",
            "while true do alc.match_enum(('x'):rep(1e4), {('y'):rep(1e3), ('z'):rep(1e3)}) end",
            "while true do alc.chunk(('x'):rep(1e4), {mode = 'chars', size = 1}) end",
            "while true do alc.fingerprint(('x '):rep(1e4)) end",
            "while true do alc.math.shuffle(alc.math.rng_create(1), {1, 2, 3}) end",
            "local r = alc.math.rng_create(1) while true do alc.math.poisson_sample(r, 1e9) end",
            "local t = {} for i = 1, 3e4 do t[i] = i % 7 end while true do alc.math.kendall_tau(t, t) end",
            "local t = setmetatable({}, {__index = function(t, i) return {prompt = 'x'} end}) while true do pcall(alc.llm_batch, t) end",
            "local t = setmetatable({}, {__index = function() return 1 end}) alc.map(t, function() end)",
            "local t = {} for i = 1, 1e5 do t[i] = i end pcall(table.sort, t, function() return math.random() < 0.5 end) while true do end",
            "local t = {} for i = 1, 200 do t[i] = i end pcall(table.sort, t, function(a, b) t[#t + 1] = 1 return a < b end) while true do end",
            "return next(setmetatable({}, {__index = function() while true do end end})) or ({}).x or setmetatable({}, {__index = function() while true do end end}).x",
            "local s = 'x' for i = 1, 25 do s = s .. s end while true do s:find('y', 1, true) end",
            "while true do xpcall(function() error(setmetatable({}, {__tostring = function() while true do end end})) end, tostring) end",
            "coroutine.wrap(function() while true do pcall(coroutine.wrap(function() while true do end end)) end end)()",
            "while true do debug.traceback(('x'):rep(1e5)) end",
        ]
    )
]

MEMORY = [
    row(760 + number, code, LIMIT, LUA)
    for number, code in enumerate(
        [
            "local t = {} while true do t[#t + 1] = {} end",
            "local t = {} while true do t[#t + 1] = function() return t end end",
            "local t = {} while true do t[{}] = true end",
            "local t = {} for i = 1, 1e9 do t[('k'):rep(50) .. i] = i end",
            "local function f(n) local a, b, c, d = n, n, n, n return f(n + 1) + 1 end return f(1)",
            "local function f(...) return f(1, ...) end return f()",
            "return (('x'):rep(1e6):gsub('x', ('y'):rep(1e4)))",
            "return table.concat({('x'):rep(1e7), ('x'):rep(1e7)}, ('y'):rep(1e8))",
            "return table.create(1 << 28)",
            "return table.create(1 << 40)",
            "return table.create(1 << 28, 1 << 28)",
            "local s = ('x'):rep(1e6) local t = {} while true do t[#t + 1] = s:reverse() .. #t end",
            "local t = {} while true do t[#t + 1] = load('local a = ' .. #t .. ' return function() return a end')() end",
            "return alc.math.permutations(12)",
            "return alc.math.histogram({1, 2}, 1e9)",
            "return alc.math.moving_average({1, 2}, 1)[1] and alc.math.sample_with_replacement(alc.math.rng_create(1), {1}, 1e9)",
            "return alc.chunk(('x'):rep(1e6), {mode = 'chars', size = 5e5, overlap = 5e5})",
            "return alc.json_decode('[' .. ('[],'):rep(1e6) .. '1]')",
            "return alc.llm(('x'):rep(1e7))",
            "local t = {} while true do t[#t + 1] = coroutine.wrap(function() coroutine.yield() end) t[#t]() end",
            "local t = {} while true do pcall(function() while true do t[#t + 1] = ('x'):rep(1000) .. #t end end) end",
            "string.hoard = {} local t = string.hoard while true do t[#t + 1] = ('y'):rep(10) .. #t end",
            "alc.hoard = {} local t = alc.hoard while true do t[#t + 1] = ('y'):rep(10) .. #t end",
            "package.loaded.hoard = {} local t = package.loaded.hoard while true do t[#t + 1] = ('y'):rep(10) .. #t end",
            "local t = {} local x <close> = setmetatable({}, {__close = function() while true do t[#t + 1] = ('y'):rep(10) .. #t end end}) while true do t[#t + 1] = ('y'):rep(10) .. #t end",
            "error(setmetatable({}, {__tostring = function() local t = {} while true do t[#t + 1] = ('y'):rep(10) .. #t end end}))",
            "local t = {} for i = 1, 1e7 do t[i] = {} for k, v in pairs(t[i]) do end end",
            "return select('#', table.unpack(table.create(5e6), 1, 5e6))",
            "local s = '' for i = 1, 1e5 do s = s .. ('x'):rep(1000) end return #s",
            "return string.rep(('x'):rep(1e6), 1e6)",
            "return string.rep('x', 1e8, ('y'):rep(1e8))",
            "return ('x'):rep(1e7, ('y'):rep(1e3))",
        ]
    )
]

LOGS, PRINTS, NOTES, KEYS = (
    many(200_000, 20_000),
    many(1_000_000, 100_000),
    many(300_000, 50_000),
    many(3000, 300),
)
CALLS = many(10_000, 1000)

HOST = [
    value(
        800,
        f"for i = 1, {LOGS} do alc.log('info', ('x'):rep(4000)) end return 1",
        1,
        limits={"cpu_seconds": 20, "slice_seconds": 60},
    ),
    value(
        801,
        f"for i = 1, {PRINTS} do print(i) end return 1",
        1,
        limits={"cpu_seconds": 20, "slice_seconds": 60},
    ),
    value(
        802,
        f"for i = 1, {NOTES} do alc.progress(i, 3e5, 'step') end return 1",
        1,
        limits={"cpu_seconds": 20, "slice_seconds": 60},
    ),
    row(803, "for i = 1, 1e6 do alc.stats.record('k' .. i, i) end return 1", LIMIT, says="max_stats_bytes"),
    row(804, "alc.stats.record('k', ('x'):rep(1e6))", LIMIT, says="max_stats_bytes"),
    value(
        805,
        f"for i = 1, {NOTES} do alc.stats.record('k', i) end return alc.stats.get('k')",
        NOTES,
        limits={"cpu_seconds": 20, "slice_seconds": 60},
    ),
    row(806, "while true do alc.state.get('k') end", LIMIT, says="max_calls", limits={"max_calls": CALLS}),
    row(807, "while true do pcall(alc.state.get, 'k') end", LIMIT, limits={"max_calls": CALLS}),
    row(
        808, "while true do alc.budget_remaining() end", LIMIT, says="max_calls", limits={"max_calls": CALLS}
    ),
    row(809, "while true do pcall(require, 'none') end", LIMIT, limits={"max_calls": CALLS}),
    row(
        810,
        "alc.state.set('big', ('x'):rep(2e6)) while true do alc.state.get('big') end",
        LIMIT,
        says="max_kept_bytes",
    ),
    row(
        811,
        "local n = 0 while true do n = n + 1 alc.state.set('k' .. n, ('x'):rep(2e6)) end",
        LIMIT,
        says="max_kept_bytes",
    ),
    row(
        812,
        "while true do alc.card.create({pkg = {name = 'flood'}, text = ('x'):rep(5e5)}) end",
        LIMIT,
        says="max_kept_bytes",
    ),
    row(813, "while true do alc.llm('x') end", CANCELLED),
    row(814, "while true do alc.llm(('x'):rep(1e6)) end", LIMIT, CANCELLED),
    row(
        815,
        "local b = {} for i = 1, 1000 do b[i] = {prompt = ('x'):rep(1000)} end while true do alc.llm_batch(b) end",
        CANCELLED,
        LIMIT,
        feeds=3,
    ),
    row(
        816,
        "local b = {} for i = 1, 1001 do b[i] = {prompt = 'x'} end return alc.llm_batch(b)",
        LIMIT,
        says="max_queries",
    ),
    row(
        817,
        "while true do pcall(alc.llm, 'x') end",
        LIMIT,
        ctx={"budget": {"max_llm_calls": 1}},
        limits={"max_calls": CALLS},
    ),
    row(
        818,
        "while true do alc.fork({'a','b','c','d','e','f','g','h','i','j','k','l','m','n','o','p'}, {}) end",
        LIMIT,
        limits={"cpu_seconds": 3, "slice_seconds": 30},
    ),
    row(
        819,
        "alc.fork({'a'}, {x = ('x'):rep(2e6)}) while true do alc.fork({'a'}, {x = ('x'):rep(2e6)}) end",
        LIMIT,
        says="max_kept_bytes",
        limits={"max_kept_bytes": many(16, 6) << 20},
    ),
    row(
        820,
        "local t = {} for i = 1, 2e5 do t[i] = {} end while true do alc.state.set('k', t) end",
        LIMIT,
        says="max_kept_bytes",
        limits={"cpu_seconds": 3, "slice_seconds": 30, "max_kept_bytes": many(16, 3) << 20},
    ),
    row(
        821,
        """for i = 1, 300 do alc.card.create({pkg = {name = 'many'}, list = {{i}, {i, i}}, n = i}) end
        local list = {} for i = 1, 2e4 do list[i] = {i} end
        return #alc.card.find({where = {list = {contains = list}}})""",
        LUA,
        VALUE,
        limits={"cpu_seconds": 3, "slice_seconds": 30, "memory_bytes": 128 << 20},
    ),
    row(
        822,
        "local keys = {} for i = 1, 1e5 do keys[i] = 'a.b.c' .. i end return alc.card.find({order_by = keys})",
        LUA,
        VALUE,
        limits={"cpu_seconds": 3, "slice_seconds": 30},
    ),
    row(
        823,
        "local w = {} local x = w for i = 1, 90 do x._not = {} x = x._not end return alc.card.find({where = w})",
        LUA,
        VALUE,
    ),
    row(
        824,
        f"for i = 1, {KEYS} do alc.state.set('key' .. i, i) end return #alc.state.keys() >= {KEYS}",
        VALUE,
        value=True,
    ),
    row(825, "for i = 1, 1e5 do io.write('no end of line ') end return 1", VALUE, value=1),
    row(826, "while true do alc.time() alc.log('info', 'x') end", LIMIT),
    row(
        827,
        "local start = alc.time() while alc.time() - start < 1 do end return alc.llm('x')",
        VALUE,
        limits={"cpu_seconds": 5, "slice_seconds": 10},
    ),
    row(828, "return ('x'):rep(4e6)", VALUE),
    row(829, "return ('x'):rep(5e6)", LIMIT, says="max_result_bytes"),
    row(830, "local t = {} for i = 1, 2e5 do t[i] = {} end return t", VALUE),
    row(
        831,
        "while true do alc.card.list({}) end",
        LIMIT,
        says="of the host's processor",
        limits={"max_calls": 1000},
    ),
    row(832, "for i = 1, 1e4 do alc.cache('k' .. i % 300) end return 1", CANCELLED),
]

BURNING = [*PROCESSOR, *MEMORY, *HOST]
