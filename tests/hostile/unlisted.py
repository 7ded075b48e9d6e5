"""Inputs that are on no list: what somebody tries who has read this project's own Lua."""

from __future__ import annotations

from typing import Any

from .attack import CANCELLED, LIMIT, LUA, SYNTAX, VALUE, Attack, many
from .listed import error, row, value

DEEP_CTX: dict[str, Any] = {}
for _ in range(90):
    DEEP_CTX = {"x": DEEP_CTX}

SAFE = (VALUE, LUA, LIMIT)
"""For what may end in any clear way."""

WRAPPED = [
    value(
        900,
        "local real = alc.llm alc.llm = coroutine.wrap(function(p) while true do p = coroutine.yield(real(p)) end end)"
        " return alc.llm('a') .. alc.llm('b')",
        "re: are: b",
    ),
    row(901, "local real = alc.llm function alc.llm(p) return real(alc.llm(p)) end return alc.llm('x')", LUA, LIMIT),
    value(902, "alc.llm_batch = function() return {'forged'} end return alc.parallel({1}, function() return 'p' end)", ["forged"]),
    error(903, "alc.llm_batch = 5 return alc.parallel({1}, function() return 'p' end)", "call"),
    value(904, "alc.json_encode = error alc.state.set('k', {1}) return alc.state.get('k')", [1]),
    value(905, "alc.state = nil alc.math.mean = nil return {alc.state == nil, alc.math.mean == nil, type(alc.map)}", [True, True, "function"]),
    value(906, "alc.state.get = nil return (pcall(alc.state.update, 'k', function() return 1 end))", True),
    row(907, "setmetatable(alc, {__index = function(t, k) return t[k] end}) return alc.nothing", LUA),
    value(908, "setmetatable(_G, {__index = function(_, k) return k end}) return nothing .. alc.llm('x')", "nothingre: x"),
    value(909, "setmetatable(_G, {__newindex = function(t, k, v) rawset(t, k, alc.llm(k)) end}) fresh = 1 return fresh", "re: fresh"),
    row(910, "_ENV = setmetatable({}, {__index = function(_, k) return alc end}) return x", VALUE, LUA),
    row(911, "local function f() return alc.llm('x', f) end return f()", CANCELLED, VALUE, LUA),
    row(912, "local function f(n) return pcall(function() return alc.llm('d' .. n), f(n + 1) end) end return (f(1))", CANCELLED, VALUE),
    row(913, "local n = 0 local function f() n = n + 1 if n < 190 then return pcall(f) end return alc.llm('deep') end return f()", VALUE),
    row(914, "local function f(n) if n == 0 then return alc.llm('deep') end return coroutine.wrap(f)(n - 1) end return f(150)", VALUE, LUA),
    row(915, "local ok, e = pcall(coroutine.wrap(function() error(setmetatable({}, {__tostring = function() return alc.llm('t') end})) end)) return tostring(e)", VALUE, value="re: t"),
    error(916, "error(setmetatable({}, {__tostring = function() return alc.llm('a') .. alc.llm('b') end}))", "re: are: b"),
    row(917, "error(setmetatable({}, {__tostring = function() return alc.state.get(('k'):rep(2000)) end}))", LUA),
    row(918, "error(setmetatable({}, {__tostring = function() error(setmetatable({}, {__tostring = error})) end}))", LUA),
    row(919, "error(setmetatable({}, {__name = '\\27[2J' .. ('n'):rep(1e5)}))", LUA),
    row(920, "error(setmetatable({}, {__metatable = {__tostring = function() return 'x' end}}))", LUA),
    row(921, "local t = setmetatable({}, {__tostring = function(s) alc.llm('x') error(s) end}) error(t)", LUA),
]  # fmt: skip

CLOSING = [
    value(
        925,
        """local log = {}
        local co = coroutine.create(function()
          local a <close> = setmetatable({}, {__close = function(_, e) log[#log + 1] = alc.llm('closing') error('again') end})
          local b <close> = setmetatable({}, {__close = function() log[#log + 1] = 'b' error('first') end})
          coroutine.yield()
        end)
        coroutine.resume(co)
        local ok, e = coroutine.close(co)
        return { log, ok, (e:gsub('^.-: ', '')) }""",
        [["b", "re: closing"], False, "again"],
    ),
    row(926, "local x <close> = setmetatable({}, {__close = function() coroutine.wrap(function() while true do end end)() end}) return alc.llm('x')", LIMIT),
    row(927, "local co = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() coroutine.yield(1) end}) error('x') end) return coroutine.resume(co)", VALUE),
    row(928, "local co co = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() return coroutine.close(co) end}) end) return (coroutine.resume(co))", VALUE, LUA),
    row(929, "local t = {} for i = 1, 150 do t[i] = 'local x' .. i .. ' <close> = setmetatable({}, {__close = function() error(' .. i .. ') end})' end return load(table.concat(t, '\\n'))()", LUA),
    row(930, "for i = 1, 1e5 do local x <close> = setmetatable({}, {__close = function() end}) end return 1", VALUE, value=1),
    row(931, "for k, v, c <close> in next, {} do end for x in function() return nil end, nil, nil, setmetatable({}, {__close = function() alc.llm('c') end}) do end return 1", SYNTAX, VALUE),
    row(932, "local mt = {} mt.__close = mt local x <close> = setmetatable({}, mt) return 1", LUA),
]  # fmt: skip

LANGUAGE = [
    value(935, "local n = 0 for i = math.maxinteger - 1, math.maxinteger do n = n + 1 end return n", 2),
    value(936, "local n = 0 for i = math.mininteger, math.mininteger + 1 do n = n + 1 end return n", 2),
    value(937, "local n = 0 for i = 1, -math.huge do n = n + 1 end for i = 3, 1 do n = n + 1 end for i = 1, 0/0 do n = n + 1 end return n", 0),
    error(938, "for i = 1, 10, 0 do end", "step is zero"),
    error(939, "for i = 'x', 2 do end", "bad 'for' initial value"),
    row(940, "for i = 1, math.maxinteger, 1 do end", LIMIT),
    row(941, "for i = 1.0, 2^53 + 10, 0.5 do end", LIMIT),
    row(942, "do goto b ::a:: goto c ::b:: goto a ::c:: end return 1", VALUE, value=1),
    row(943, "while true do do goto continue end ::continue:: end", LIMIT),
    row(944, "goto out local x <const> = 1 ::out:: return x", SYNTAX, VALUE),
    row(945, "return " + "(" * 150 + "1" + ")" * 150, VALUE, SYNTAX),
    row(946, "return " + "-" * 1 + " - ".join(["1"] * 5000), VALUE),
    row(947, "return " + "..".join(["'x'"] * 300), VALUE, SYNTAX),
    row(948, "local t = {} t[0/0] = 1", LUA, says="NaN"),
    row(949, "local t = {1, 2} for k in next, t do t[{}] = 1 t[k + 1e6] = 1 end return 1", VALUE, LUA, LIMIT),
    error(950, "return next({}, 'nothing')", ""),
    value(951, "local t = setmetatable({}, {__index = rawget, __newindex = rawset}) t.x = 1 return {t.x, rawlen(t), #t}", [1, 0, 0]),
    row(952, "return string.format('%q', 1/0) .. string.format('%q', math.mininteger) .. string.format('%a', 0/0)", VALUE),
    row(953, "return #string.format('%.99f', -1e308) + #string.format('%99.99s', 'x')", VALUE),
    error(954, "return string.format('%100d', 1)", "invalid"),
    value(955, "return string.format('%s', setmetatable({}, {__tostring = function() return 1 end}))", "1"),
    error(956, "return string.pack('!17i4', 1)", ""),
    error(957, "return string.unpack('<i16', ('\\255'):rep(8) .. ('\\1'):rep(8))", "does not fit"),
    row(958, "return string.pack(('i8'):rep(1e5), 1)", LUA),
    row(959, "return string.packsize(('i16'):rep(1e5))", VALUE),
    error(960, "return string.packsize(('s'):rep(10))", "variable"),
    row(961, "return string.unpack('s4', '\\255\\255\\255\\127abc', 1)", LUA),
    error(962, "return string.unpack('z', 'a', 5)", "out of string"),
    row(963, "return {utf8.codepoint(utf8.char(0x7FFFFFFF), 1, 1, true)}", VALUE),
    row(964, "return utf8.char(0xD800)", LUA, VALUE),
    row(965, "for p, c in utf8.codes(('\\u{10FFFF}'):rep(1e4) .. '\\xff') do end", LUA),
    error(966, "return utf8.offset('aé', 1, 3)", "continuation"),
    row(967, "return os.date(('%c'):rep(1e5))", VALUE, LUA, LIMIT),
    row(968, "return os.date('!%Y-%m-%d', -1e15)", LUA, VALUE),
    row(969, "return os.date('*t', math.maxinteger)", LUA),
    row(970, "return os.time({year = 2024, month = 1 << 31, day = -(1 << 31), hour = 1e9})", LUA, VALUE),
    row(971, "return os.time(setmetatable({}, {__index = function(_, k) return alc.llm(k) end}))", LUA, VALUE),
    row(972, "return os.difftime(0/0, 1/0)", LUA, VALUE),
    row(973, "return tonumber(('9'):rep(1e6)) and tonumber('0x' .. ('f'):rep(1e6))", VALUE, LUA),
    row(974, "return tostring(2^63) .. math.tointeger(2^53) .. (1e15 // 1)", VALUE),
    row(975, "return load('return x', 'c', 't', setmetatable({}, {__index = function(_, k) return alc.llm(k) end}))()", VALUE, value="re: x"),
    row(976, "local env = {} local f = load('function g() return g end x = 1 return _ENV', '', 't', env) return f() == env and env.x", VALUE, value=1),
    row(977, "local s = 'return 1' for i = 1, 150 do s = 'return load(' .. string.format('%q', s) .. ')()' if #s > 1e6 then break end end return load(s)()", *SAFE),
    row(978, "return load('return ' .. ('function() '):rep(190) .. ('end '):rep(190)) ~= nil", VALUE),
]  # fmt: skip

PATTERNS = [
    row(980, "return ('a'):rep(1e5):match(('a?'):rep(1e4) .. 'b')", LUA, LIMIT, VALUE),
    row(981, "return (('a'):rep(30) .. 'b'):gsub(('(a*)'):rep(30), '%1')", LUA, LIMIT, VALUE),
    row(982, "return ('x'):rep(1e6):gsub('', 'yy')", LIMIT, LUA, VALUE),
    row(983, "return ('x'):gsub('.', {x = setmetatable({}, {__tostring = function() return 'y' end})})", LUA),
    row(984, "return alc.parse_number(('1'):rep(2e5), ('%d*'):rep(30) .. 'x')", LIMIT, VALUE),
    row(985, "return alc.match_bool(('yes '):rep(2e5))", VALUE, LIMIT),
    row(986, "return alc.match_enum(('é'):rep(1e5), {('è'):rep(1e4), '', '\\255'})", LIMIT, VALUE, LUA),
    row(987, "return alc.json_extract(('```json\\n{'):rep(3e4))", VALUE, LIMIT),
    row(988, "return alc.json_extract(('[{\"a\":['):rep(3e4) .. (']}]'):rep(3e4))", VALUE, LIMIT),
    row(989, "return alc.fingerprint(('\\255 \\0'):rep(1e5))", VALUE, LIMIT),
    row(990, "return #alc.chunk(('\\255'):rep(1e4), {mode = 'chars', size = 1, overlap = 1e9})", VALUE, LUA, LIMIT),
    row(991, "return alc.chunk('x', {mode = 'lines', size = 0/0})", VALUE, LUA),
    row(992, "return alc.chunk('a\\nb', {size = math.mininteger, overlap = math.maxinteger})", VALUE, LUA),
]  # fmt: skip

VALUES = [
    row(1000, "return #alc.json_encode(ctx)", VALUE, ctx=DEEP_CTX),
    row(1001, "return ctx", VALUE, LUA, ctx=DEEP_CTX),
    row(1002, "ctx.x = ctx return alc.json_encode(ctx)", LUA, says="cycle", ctx={"a": 1}),
    row(1003, "setmetatable(ctx, {__index = function(_, k) return alc.llm(k) end, __pairs = error, __len = error}) return {ctx.asked, ctx}", VALUE, ctx={"a": 1}),
    row(1004, "return ctx['\\0'] .. ctx['\\27[31m'] .. #ctx.long", VALUE, ctx={"\0": "a", "\x1b[31m": "\u202e\ud7ff", "long": "x" * 2_000_000}),
    row(1005, "return #ctx.many", VALUE, LIMIT, value=100_000, ctx={"many": [[]] * 100_000}),
    row(1006, "return ctx._ns", VALUE, value="\0\x1b[2J\n../..", ctx={"_ns": "\0\x1b[2J\n../.."}),
    row(1007, "alc.state.set('k', 1) return alc.state.get('k')", VALUE, LUA, value=1, ctx={"_ns": "../" * 1000}),
    row(1008, "alc.state.set('k', 1) return alc.state.get('k')", VALUE, LUA, value=1, ctx={"_ns": ""}),
    row(1009, "alc.state.set('', 1) return alc.state.get('')", VALUE, LUA),
    row(1010, "alc.state.set('k', ('v'):rep(1e6)) return #alc.state.get('k')", VALUE, value=1_000_000),
    error(1011, "alc.state.set(('k'):rep(1 << 20), 1)", "1024"),
    error(1012, "alc.state.set('\\255', 1)", "UTF-8"),
    row(1013, "return alc.state.get('k', function() end)", LUA, VALUE),
    row(1014, "return alc.state.incr('n', math.maxinteger, math.maxinteger)", LUA, VALUE),
    row(1015, "return alc.state.incr('f', 1e308, 1e308)", LUA),
    row(1016, "alc.state.set('s', 'x') return alc.state.incr('s')", LUA),
    row(1017, "return alc.state.set_nx('n', setmetatable({1}, {__index = error})) and alc.state.get('n')", VALUE, value=[1]),
    row(1018, "alc.state.update('k', function(v) return alc.state.update('k', function() return 1 end) end) return alc.state.get('k')", VALUE, value=1),
    row(1019, "return alc.state.update('k', error)", LUA),
    row(1020, "return alc.llm('\\0\\u{202E}\\u{2066}\\27]0;title\\7\\u{200B}\\u{FEFF}')", VALUE),
    row(1021, "return alc.llm('x', {system = '\\237\\160\\128'})", VALUE, LUA),
    row(1022, "return alc.llm(('\\255'):rep(1e6))", VALUE, LIMIT),
    row(1023, "return alc.llm('')", VALUE),
    row(1024, "return alc.llm('x', {max_tokens = 0/0})", VALUE, LUA),
    row(1025, "return alc.llm('x', {max_tokens = 1e300})", VALUE, LUA),
    row(1026, "return alc.llm('x', {max_tokens = math.mininteger, temperature = 0/0, top_p = 1/0})", VALUE, LUA),
    row(1027, "return alc.llm('x', {id = 'q-0', query_id = 'q-0', prompt = 'other', t = 'done', queries = 'x', extra = 1})", VALUE),
    row(1028, "return #alc.llm_batch(setmetatable({}, {__len = function() return 1e9 end, __index = function() return {prompt = 'x'} end}))", *SAFE),
    row(1029, "return alc.llm_batch({[1] = {prompt = 'a'}, [3] = {prompt = 'c'}})", *SAFE),
    row(1030, "return #alc.llm_batch({{prompt = 'a'}, {prompt = ('x'):rep(5e6)}})", LIMIT),
    row(1031, "local same = {prompt = 'a'} local b = {} for i = 1, 1000 do b[i] = same end return #alc.llm_batch(b)", VALUE, value=1000, feeds=2),
    row(1032, "alc.log(setmetatable({}, {__tostring = function() return 'error' end}), setmetatable({}, {__tostring = error})) return 1", VALUE, LUA),
    row(1033, "alc.log('info\\n{\"t\":\"done\"}', 'x\\r\\n\\27[1A\\u{2028}') return 1", VALUE, value=1),
    row(1034, "alc.progress(0/0, 1/0, {})", LUA),
    row(1035, "alc.progress(1, 2, setmetatable({}, {__tostring = function() return alc.llm('m') end})) return 1", VALUE, LUA),
    row(1036, "alc.stats.record('\\27[31m', {[1] = 1, x = alc.null}) alc.stats.record('', {}) return alc.stats.get('')", VALUE, LUA),
    row(1037, "alc.stats.record({}, 1)", LUA),
    row(1038, "alc.stats.record('k', function() end)", LUA),
    row(1039, "local t = {} for i = 1, 95 do t = {t} end alc.stats.record('k', t) return alc.llm('x')", VALUE, LUA),
    row(1040, "local t = {} for i = 1, 95 do t = {t} end return t", VALUE, LUA),
    row(1041, "return setmetatable({setmetatable({}, {__index = {a = 1}})}, {__pairs = function() return next, {fake = 1} end})", VALUE, value=[{}]),
    row(1042, "return {['\\u{202E}'] = 1, ['\\0'] = 2, [' '] = 3}", VALUE),
    row(1043, "return {[1 << 53] = 1, [-1] = 2, ['-1'] = 3}", VALUE, LUA),
    row(1044, "return {[1] = 1, [2^53] = 1}", VALUE, LUA),
    row(1045, "return string.rep('\\u{10FFFF}', 1e6)", VALUE, LIMIT),
    row(1046, "return string.rep('\\0', 1e6)", LIMIT, VALUE),
    row(1047, "return alc.null, alc.null", VALUE, value=None),
    row(1048, "return {alc.null, {alc.null}, x = 1}", VALUE, value=[None, [None]]),
]  # fmt: skip

HOST = [
    row(1060, "return require('alc') == alc or require('string').dump or require('_G').load('return 1', 'x', 'b')", *SAFE),
    error(1061, "return require('\\27[2J')", "not allowed"),
    error(1062, "return require('\\u{202E}abc')", "not allowed"),
    error(1063, "return require('CON.' .. ('x'):rep(1000))", ""),
    row(1064, "package.preload.a = function() return require('b') end package.preload.b = function() return require('a') end return (pcall(require, 'a'))", VALUE, value=False),
    row(1065, "package.loaded.x = false package.preload.x = function() return alc.llm('loading') end return require('x')", VALUE, LUA),
    row(1066, "package.preload.y = coroutine.wrap(function() alc.llm('in') coroutine.yield(5) end) return require('y') + (pcall(require, 'y') and 0 or 1)", VALUE, LUA),
    error(1067, "return alc.eval('x', 'y')", "evalframe"),
    row(1068, "package.preload.evalframe = function() return setmetatable({}, {__index = function(_, k) return function(...) return alc.llm(k) end end}) end return alc.eval('x', 'y', {auto_card = true, card_pkg = '../../x'})", *SAFE, CANCELLED),
    row(1069, "package.preload.evalframe = function() return 5 end return alc.eval({}, print)", LUA),
    row(1070, "return alc.fork({'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a'}, {})", LIMIT, says="max_strands"),
    row(1071, "return alc.fork(setmetatable({}, {__len = function() return 3 end, __index = function() return 'x' end}), {})", *SAFE),
    row(1072, "local c = {} c.c = c return alc.fork({'x'}, c)", LUA, says="cycle"),
    row(1073, "return alc.fork({'\\27[2J'}, {})", LUA, says="must match"),
    row(1074, "return alc.fork({('x'):rep(1e6)}, {})", LUA, LIMIT, VALUE),
    row(1075, "while true do pcall(alc.fork, {'x', 'y'}, {}, {on_error = 'fail'}) end", LIMIT, limits={"max_calls": 1000, "cpu_seconds": 2}),
    row(1076, "return coroutine.wrap(function() return alc.fork({'none'}, {})[1].ok end)()", VALUE, value=False),
    row(1077, "return alc.pipe({function() return alc.fork({'none'}, {})[1].error end, function(c) return c.task end}, {task = 1}).result ~= nil", VALUE, LUA),
    row(1078, "local s = {} for i = 1, 1000 do s[i] = function(c) return c end end return #alc.pipe(s, {task = 't'}).pipe_history", VALUE, LUA, LIMIT),
    row(1079, "return alc.pipe({function(c) setmetatable(c, {__index = function() while true do end end}) return c end, function(c) return c.none end}, {})", LIMIT, LUA, VALUE),
    row(1080, "return alc.pipe({function() error(setmetatable({}, {__tostring = function() return alc.llm('x') end})) end}, {}, {on_error = 'continue'})", VALUE, LUA),
    row(1081, "return alc.card.create({pkg = {name = 'x'}, card_id = ('a'):rep(1e5)})", LUA),
    row(1082, "return alc.card.create({pkg = {name = 'con\\u{202E}'}})", LUA),
    row(1083, "return alc.card.create({pkg = {name = 'x', version = {}}, [''] = 1, ['../x'] = {}, [1] = 2})", *SAFE),
    row(1084, "local c = alc.card.create({pkg = {name = 'u'}}) return alc.card.append(c.card_id, {card_id = 'other', pkg = {name = 'y'}, created_at = 0})", LUA),
    row(1085, "local c = alc.card.create({pkg = {name = 'u'}, metadata = {prior_card_id = 'self'}}) return alc.card.lineage({card_id = c.card_id, direction = 'both', depth = 1 << 40})", *SAFE),
    row(1086, "return alc.card.alias_set(('a'):rep(1e5), 'x', {pkg = '../..', note = ('n'):rep(1e6)})", LUA),
    row(1087, "return alc.card.find({where = {[''] = {['$where'] = '1'}}, order_by = '-', limit = math.maxinteger, offset = math.maxinteger})", *SAFE),
    row(1088, "return alc.card.find({where = {a = {contains = ('x'):rep(1e6)}}, order_by = ('a.'):rep(1e5)})", *SAFE),
    row(1089, "return alc.card.write_samples('none', {{1}, {2}})", LUA),
    row(1090, "local c = alc.card.create({pkg = {name = 's'}}) local rows = {} for i = 1, 1e5 do rows[i] = {i} end return alc.card.write_samples(c.card_id, rows).count", *SAFE, limits={"cpu_seconds": 3}),
    row(1091, "return alc.cache('x', {cache_key = ('k'):rep(1e6)}) .. alc.cache('y', {cache_key = {}})", *SAFE),
    row(1092, "for i = 1, 300 do alc.cache('x' .. i % 2, {cache_key = ('k'):rep(1e5) .. i}) end return alc.cache_info().entries", *SAFE, CANCELLED, feeds=400),
    row(1093, f"for i = 1, {many(100_000, 20_000)} do alc.log('error', '\\27[31m' .. i) end return 1", VALUE, value=1, limits={"cpu_seconds": 20, "slice_seconds": 60}),
    row(1094, f"for i = 1, {many(100_000, 20_000)} do io.stderr:write('\\r', i, '\\8') end return 1", VALUE, value=1, limits={"cpu_seconds": 20, "slice_seconds": 60}),
    row(1095, "print(('x'):rep(4e6), ('\\n'):rep(1e6)) return 1", VALUE, LIMIT),
    row(1096, "return alc.budget_check() and alc.budget_remaining()", VALUE, ctx={"budget": {"max_llm_calls": 0, "max_elapsed_ms": 0}}),
    row(1097, "return alc.llm('x')", *SAFE, "budget", ctx={"budget": {"max_llm_calls": -5, "max_elapsed_ms": "soon", "max_tokens": 1e300}}),
    row(1098, "ctx.budget = nil _G.ctx = {} return (pcall(alc.llm, 'x')) and alc.llm('y')", *SAFE, "budget", ctx={"budget": {"max_llm_calls": 1}}),
    row(1099, "return alc.math.rng_int(alc.math.rng_create(math.mininteger), math.mininteger, math.maxinteger) ~= nil", VALUE, LUA),
    row(1100, "local r = alc.math.rng_create(1) r.state = nil for k in pairs(r) do r[k] = 0/0 end return alc.math.rng_float(r)", *SAFE),
    row(1101, "return alc.math.binomial_sample(alc.math.rng_create(1), 1 << 60, 0.5)", *SAFE),
    row(1102, "return alc.math.mann_whitney_u(setmetatable({}, {__index = function() return 1 end, __len = function() return 1e9 end}), {1})", *SAFE),
    row(1103, "local t = {} for i = 1, 1e5 do t[i] = i end return #alc.math.rank(t)", *SAFE, limits={"cpu_seconds": 3}),
    row(1104, "return alc.tuning({a = setmetatable({}, {__index = error})}, {a = {b = {}}}, {prefix = {}})", *SAFE),
    row(1105, "local d = {} d.d = d return alc.tuning(d, d)", LUA, LIMIT, VALUE),
    row(1106, "return alc.vote(setmetatable({}, {__len = function() return 1e9 end, __index = function() return ' x ' end}))", *SAFE),
    row(1107, "alc.state.set('k', 'x') alc.llm(('y'):rep(3e6)) local t = {} for i = 1, 1e6 do t[i] = {} end", LIMIT),
    row(1108, "local held = ('x'):rep(20 << 20) return alc.llm('big') .. #held", LIMIT, VALUE, answer=lambda prompt: "x" * 7_000_000),
]  # fmt: skip

CHILDREN = {
    "spin": "return {run = function() while true do end end}",
    "ask": "return {run = function() local b = {} for i = 1, 300 do b[i] = {prompt = 'x'} end return #alc.llm_batch(b) end}",
    "flood": "return {run = function() for i = 1, 1e5 do alc.log('info', ('x'):rep(1000)) alc.progress(i, 1) end end}",
    "hoard": "return {run = function() local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end end}",
    "large": "return {run = function() return ('x'):rep(4e6) end}",
    "calls": "return {run = function() while true do alc.state.get('k') end end}",
    "forks": "return {run = function() return alc.fork({'spin'}, {}) end}",
    "wrong": "return {run = function() error(setmetatable({}, {__tostring = function() return alc.llm('in') end})) end}",
    "nested": "return {run = function() local t = {} for i = 1, 94 do t = {t} end return t end}",
    "ghost": "return setmetatable({}, {__index = function(_, k) return function() return alc.llm(k) end end})",
    "closing": "return {run = function() local x <close> = setmetatable({}, {__close = function() alc.llm('c') end}) return 1 end}",
    "mirror": "return require('mirror')",
    "good": "return {run = function() return alc.llm('good') end}",
}
"""Strategies of a hostile package."""

EACH_OK = "local out = {} for i, each in ipairs(r) do out[i] = each.ok end return out"


def forked(number: int, names: str, *allowed: str, **more: Any) -> Attack:
    """A fork of these; the outcomes of each child are what it returns."""
    list_of_names = ", ".join(f"'{name}'" for name in names.split())
    code = f"local r = alc.fork({{{list_of_names}}}, {{}}) {EACH_OK}"
    return row(number, code, *(allowed or (VALUE,)), modules=CHILDREN, **more)


FORKED = [
    forked(1120, "spin good", value=[False, True]),
    forked(1121, "ask ask ask", value=[True, True, True], feeds=4),
    forked(1122, "ask ask ask ask", LIMIT, says="max_queries"),
    forked(1123, "flood good", value=[False, True]),
    forked(1124, "hoard good", value=[False, True]),
    forked(1125, "large large large", LIMIT, says="max_frame_bytes", limits={"cpu_seconds": 3}),
    forked(1126, "calls good", value=[False, True], limits={"max_calls": 500}),
    forked(1127, "forks good", value=[False, True]),
    forked(1128, "wrong wrong good", value=[False, False, True]),
    forked(1129, "nested", VALUE, LUA),
    forked(1130, "ghost closing", value=[True, True]),
    forked(1131, "mirror good", value=[False, True]),
]

UNLISTED: list[Attack] = [*WRAPPED, *CLOSING, *LANGUAGE, *PATTERNS, *VALUES, *HOST, *FORKED]
