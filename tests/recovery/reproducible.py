"""Scripts whose questions depend on what two VMs do not agree on unless somebody sees to it.

Each asks at least twice, so that there is something between two questions that must come out the same. `PURE` ones
come to the same result whenever they are continued; the others depend on the time, or on what is kept elsewhere.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

PURE = {
    "order of text keys": """
        local t = {}
        for i = 1, 100 do t["key " .. (i * 7919 % 1009)] = i end
        for i = 1, 100, 3 do t["key " .. (i * 7919 % 1009)] = nil end
        for i = 1, 50 do t["later " .. i] = true end
        local seen = {}
        for key in pairs(t) do seen[#seen + 1] = key end
        local first = alc.llm(table.concat(seen, " "))
        t[first] = 1
        seen = {}
        for key in next, t do seen[#seen + 1] = key end
        return alc.llm(table.concat(seen, " "))
    """,
    "order of numbers and truths": """
        local t = { 1, 2, 3, nil, 5, [2.5] = "a", [-1] = "b", [1 << 40] = "c", [true] = "d", [false] = "e", [1e300] = "f" }
        local function shown()
          local seen = {}
          for key, value in pairs(t) do seen[#seen + 1] = tostring(key) .. "=" .. tostring(value) end
          return table.concat(seen, ",")
        end
        t[alc.llm(shown())] = 7
        t[3] = nil
        return alc.llm(shown() .. #t)
    """,
    "sort": """
        local t = {}
        for i = 1, 1000 do t[i] = { key = i < 900 and i or (i * 31) % 7, at = i } end
        table.sort(t, function(a, b) return a.key < b.key end)
        local ties = {}
        for i = 1, 150 do ties[i] = t[i].at end
        alc.llm(table.concat(ties, " "))
        local calls = 0
        local ok, why = pcall(table.sort, t, function(a, b) calls = calls + 1 return calls % 3 == 0 end)
        return alc.llm(("%s %s %d"):format(ok, why, calls))
    """,
    "sort that asks": """
        local words = { "pear", "fig", "apple", "kiwi", "plum" }
        table.sort(words, function(a, b) alc.llm(a .. " before " .. b .. "?") return a < b end)
        return alc.llm(table.concat(words, " "))
    """,
    "chance": """
        local t = {}
        for i = 1, 20 do t[i] = math.random(1000000) end
        alc.llm(table.concat(t, " "))
        alc.llm(tostring(math.random()) .. " " .. math.random(-5, 5))
        math.randomseed(42)
        alc.llm(tostring(math.random(0)))
        math.randomseed()
        return alc.llm(tostring(math.random(0)))
    """,
    "chance of alc.math": """
        local rng = alc.math.rng_create(7)
        local t = {}
        for i = 1, 10 do t[i] = ("%.17g"):format(alc.math.normal_sample(rng, 0, 1)) end
        alc.llm(table.concat(t, " "))
        return alc.llm(table.concat(alc.math.shuffle(rng, { 1, 2, 3, 4, 5, 6, 7, 8, 9 }), " "))
    """,
    "coroutines": """
        local function asker(name)
          return coroutine.create(function(n)
            for i = 1, 3 do n = coroutine.yield(alc.llm(name .. " " .. i .. " " .. tostring(n))) end
            return name
          end)
        end
        local a, b, said = asker("a"), asker("b"), {}
        while coroutine.status(a) ~= "dead" or coroutine.status(b) ~= "dead" do
          for _, each in ipairs({ a, b }) do
            if coroutine.status(each) ~= "dead" then
              local _, answer = coroutine.resume(each, #said)
              said[#said + 1] = answer
            end
          end
        end
        local wrapped = coroutine.wrap(function() error({ code = alc.llm("in an error") }) end)
        local ok, why = pcall(wrapped)
        return { said, ok, why.code }
    """,
    "callbacks and metamethods": """
        local text = ("one two three"):gsub("%w+", function(word) return alc.llm("gsub " .. word) end)
        local odd = setmetatable({}, {
          __index = function(_, key) return alc.llm("index " .. key) end,
          __add = function(a, b) return alc.llm("add " .. tostring(b)) end,
          __lt = function() return alc.llm("less?") < "b" end,
          __close = function() alc.llm("close") end,
          __concat = function(a, b) return alc.llm("concat") end,
        })
        local got = { text, odd.x, odd + 1, odd < odd, odd .. "y" }
        do local closing <close> = odd end
        return got
    """,
    "addresses": """
        local function f() end
        local t, u = {}, setmetatable({}, { __name = "Thing" })
        alc.llm(tostring(t) .. tostring(f) .. tostring(print) .. tostring(u) .. tostring(coroutine.create(f)))
        alc.llm(("%p %p %s %s"):format(t, "text", t, f))
        local ok, why = pcall(error, t)
        return alc.llm(tostring(why) .. tostring(ok))
    """,
    "weak tables that keep what is held": """
        local held = { {}, {}, {} }
        local weak = setmetatable({}, { __mode = "k" })
        for i, each in ipairs(held) do weak[each] = i end
        for i = 1, 1000 do local _ = { ("x"):rep(i) } end
        collectgarbage()
        local sum = 0
        for _, each in ipairs(held) do sum = sum + weak[each] end
        alc.llm("held " .. sum)
        held = nil
        collectgarbage()
        collectgarbage()
        return alc.llm("left " .. tostring(next(weak)))
    """,
    "errors": """
        local function show(f, ...) return select(2, pcall(f, ...)) end
        alc.llm(tostring(show(function() local x = nil; return x.y end)))
        alc.llm(tostring(show(function() return 1 + {} end)))
        alc.llm(tostring(show(function() return #5 end)))
        alc.llm(tostring(show(string.rep)) .. tostring(show(load, "x =", "chunk")))
        alc.llm(debug.traceback("here", 1))
        return select(2, xpcall(function() error("deep") end, function(m) return alc.llm("handler of " .. m) end))
    """,
    "numbers as text": """
        local t = {}
        for _, n in ipairs({ 0.1, 1e15, 1e16, 2^53, -0.0, 1/3, 123456789012, 1e-7, math.pi, math.maxinteger }) do
          t[#t + 1] = tostring(n) .. "/" .. ("%.14g"):format(n) .. "/" .. alc.json_encode(n)
        end
        alc.llm(table.concat(t, " "))
        return alc.llm(tostring(7 // 2) .. tostring(-7 % 3) .. tostring(7 / 2) .. tostring(1e100 // 1))
    """,
    "json": """
        local t = { b = 1, a = { 1, 2, { z = 1, y = 2, x = 3 } }, c = "é\\n", d = alc.null, [3] = "three" }
        local text = alc.json_encode(t)
        alc.llm(text)
        return alc.llm(alc.json_encode(alc.json_decode(text)))
    """,
    "combinators": """
        local votes = alc.map({ "a", "b", "c" }, function(each) return alc.llm("vote of " .. each) end)
        local winner = alc.vote(votes).winner
        local all = alc.parallel({ 1, 2, 3 }, function(item) return "parallel " .. item .. " " .. winner end)
        alc.cache("cached") alc.cache("cached")
        alc.llm(alc.fingerprint(table.concat(all)) .. alc.json_encode(alc.cache_info()))
        return alc.llm(tostring(alc.match_enum(all[1], { "answer", "question" })) .. tostring(alc.parse_score(all[2])))
    """,
    "lua of its own": """
        local make = assert(load("local n = ... return function() n = n + 1 return n end"))
        local count = make(10)
        alc.llm("count " .. count() .. count())
        local env = { tostring = tostring }
        local odd = load("x = (x or 0) + 1 return tostring(x)", "odd", "t", env)
        alc.llm(odd() .. odd() .. env.x)
        return alc.llm(tostring(string.format("%q", "a\\0b\\n")) .. #string.pack("<i4z", 7, "x"))
    """,
    "a budget": """
        alc.llm("one") alc.llm("two")
        local ok, why = pcall(alc.llm, "three")
        return { ok, tostring(why):match("max_llm_calls %(%d+%) reached"), alc.budget_remaining().llm_calls }
    """,
    "two forks": """
        local one = alc.fork({ "pair", "quick" }, { task = "first" })
        local between = alc.llm("between " .. one[1].result)
        local two = alc.fork({ "quick", "pair", "broken" }, { task = between })
        return { one, between, two[1].result, two[2].result, two[3].ok }
    """,
    "modules": """
        local shapes = require("shapes")
        alc.llm(shapes.area(3))
        local ok, why = pcall(require, "no_such_module")
        alc.llm(tostring(ok) .. tostring(why):sub(1, 30))
        return alc.llm(tostring(require("shapes") == shapes) .. require("shapes.round").name)
    """,
}

ELSEWHERE = {
    "clocks": """
        local t, c = os.time(), os.clock()
        alc.llm(("%d %s %.3f"):format(t, os.date("!%Y-%m-%d %H:%M:%S", t), alc.time()))
        local until_s, turns = alc.time() + 0.02, 0
        while alc.time() < until_s do turns = turns + 1 end
        alc.llm(("%d %.3f %.3f"):format(turns, alc.time() - until_s, os.clock() - c))
        local d = os.date("*t")
        math.randomseed(os.time())
        return alc.llm(("%d-%d-%d %d %s"):format(d.year, d.month, d.day, math.random(1000), os.difftime(os.time(), t)))
    """,
    "a clock read ten thousand times": """
        local seen, last = 0, 0
        for i = 1, 10000 do
          local now = os.clock()
          if now ~= last then seen, last = seen + 1, now end
        end
        alc.llm("steps " .. seen)
        return alc.llm("at " .. tostring(os.clock()))
    """,
    "state": """
        local runs = alc.state.incr("runs")
        local before = alc.state.get("said") or "nothing"
        alc.llm("run " .. runs .. " after " .. before)
        alc.state.set("said", alc.llm("say"))
        alc.state.set_nx("once", 1)
        alc.state.update("n", function(n) return n + 1 end, 0)
        return alc.llm(table.concat(alc.state.keys(), " ") .. tostring(alc.state.has("no")) .. alc.state.get("n"))
    """,
    "cards": """
        local card = alc.card.create({ pkg = { name = "shapes" }, score = 1 })
        alc.llm(card.card_id .. " of " .. #alc.card.list({ pkg = "shapes" }))
        alc.card.append(card.card_id, { note = alc.llm("note?") })
        return alc.llm(alc.card.get(card.card_id).note .. alc.card.get(card.card_id).created_at)
    """,
}

NOT_REPRODUCIBLE = """
-- By contract, the order of keys that are tables is not defined; here it reaches a question.
local t = {}
for i = 1, 40 do t[{}] = i end
local seen = {}
for _, i in pairs(t) do seen[#seen + 1] = i end
alc.llm(table.concat(seen, " "))
return alc.llm("and on")
"""

SCRIPTS = PURE | ELSEWHERE

PACKAGES = {
    "pair": "return { run = function(ctx) return alc.llm(ctx.task .. '?') .. alc.llm(ctx.task .. '!') end }",
    "quick": "return { run = function(ctx) alc.log('info', 'quick') return ctx.task end }",
    "broken": "return { run = function() local x = nil; return x.y end }",
    "shapes": "return { area = function(r) return 'area ' .. require('shapes.round').pi * r * r end }",
    "shapes/round": "return { name = 'round', pi = 3.14 }",
}

CONTEXTS = {"a budget": {"budget": {"max_llm_calls": 2}}}


def write_packages(folder: Path) -> Path:
    """The packages that the scripts need."""
    for name, source in PACKAGES.items():
        path = folder / f"{name}.lua"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(source)
    return folder


def answer_to(prompt: str) -> str:
    """The answer to a question: always the same, and another for every other question."""
    return "answer " + hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest()[:8]
