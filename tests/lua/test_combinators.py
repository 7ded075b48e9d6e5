"""map, filter, reduce, parallel, vote, cache, the ways to ask, fork, pipe, tuning, eval."""

from __future__ import annotations

from typing import Any

import pytest

from moonward.actors.query import QuerySpec
from moonward.actors.worker.wire import AskRequest, ForkRequest

from .harness import Ended, Host, Refused, run


def queries(ended: Ended) -> list[QuerySpec]:
    return [query for each in ended.requests if isinstance(each, AskRequest) for query in each.queries]


def test_map_filter_and_reduce_end_at_the_first_nil() -> None:
    code = """
    local t = {1, 2, 3, nil, 5}
    local function add(acc, x, i) return acc + x * i end
    return {alc.map(t, function(x, i) return x * i end), alc.filter(t, function(x) return x ~= 2 end),
            alc.reduce(t, add), alc.reduce(t, add, 100), alc.reduce({}, add) == nil, alc.reduce({}, add, 4)}"""
    assert run(code).value == [[1, 4, 9], [1, 3], 14, 114, True, 4]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("alc.map(1, print)", "alc.map: t must be an array, got number"),
        ("alc.filter({}, 1)", "alc.filter: fn must be a function, got number"),
        ("alc.reduce(nil, print)", "alc.reduce: t must be an array, got nil"),
        ("alc.parallel({}, print)", "alc.parallel: items must be a non-empty array"),
        ("alc.parallel('x', print)", "alc.parallel: items must be a non-empty array"),
        ("alc.parallel({1}, 'x')", "alc.parallel: prompt_fn must be a function"),
        ("alc.parallel({1}, function() end)", "alc.parallel: prompt_fn must return string or table, got nil (item 1)"),
        ("alc.parallel({1}, function() return 42 end)", "alc.parallel: prompt_fn must return string or table, got number (item 1)"),
        ("alc.parallel({1}, function() return {} end)", "alc.parallel: prompt_fn returned table without .prompt (item 1)"),
        ("alc.vote('x')", "alc.vote: answers must be an array, got string"),
        ("alc.cache()", "alc.cache: prompt must be a string, got nil"),
        ("alc.ground()", "alc.llm: prompt must be a string, got nil"),
        ("alc.llm_json({})", "alc.llm: prompt must be a string, got table"),
        ("alc.fingerprint({})", "alc.fingerprint: text must be a string, got table"),
        ("alc.fork({}, {})", "alc.fork: strategies must be a non-empty array of names"),
        ("alc.fork({'../x'}, {})", "alc.fork: strategy name '../x' must match [A-Za-z0-9_]+"),
        ("alc.fork({'x'}, {f = print})", "alc.fork: cannot encode ctx: a function at $.f"),
        ("alc.tuning(1, {})", "alc.tuning: defaults must be a table, got number"),
        ("alc.pipe({}, {})", "alc.pipe: strategies must be a non-empty array"),
        ("alc.pipe({1}, {})", "alc.pipe: stage 1 must be a name or a function, got number"),
        ("alc.progress('x', 1)", "alc.progress: step and total must be numbers"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_an_error_at_the_callers_line(call: str, message: str) -> None:
    assert run(f"\n\n{call}\nreturn 1").error == f"session:3: {message}"


def test_parallel_asks_one_batch() -> None:
    code = """
    local opts = {system = 'all', max_tokens = 5, temperature = 0.5}
    local function prompt(item, i)
      if i == 2 then return {prompt = item, system = 'own'} end
      return item .. i
    end
    local plain = alc.parallel({'a', 'b'}, prompt, opts)
    opts.post_fn = function(answer, item, i) return {answer, item, i} end
    return {plain, alc.parallel({'c', 'd'}, prompt, opts)}"""
    ended = run(code)
    assert len(ended.requests) == 2
    assert ended.value == [["re: a1", "re: b"], [["re: c1", "c", 1], ["re: d", "d", 2]]]
    first, second = queries(ended)[:2]
    assert first == QuerySpec("a1", "all", 5, extra={"temperature": 0.5})
    assert second == QuerySpec("b", "own", 5, extra={"temperature": 0.5})


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        ("{' a', 'b', 'a\\n', 'b', 'c'}", {"winner": "a", "count": 2, "total": 5}),
        ("{'b', 'a', 'a', 'b'}", {"winner": "b", "count": 2, "total": 4}),
        ("{'A', 'a'}", {"winner": "A", "count": 1, "total": 2}),
        ("{1, '1', 1.0}", {"winner": "1", "count": 2, "total": 3}),
        ("{}", {"count": 0, "total": 0}),
        ("{'x', nil, 'y'}", {"winner": "x", "count": 1, "total": 1}),
    ],
)
def test_a_vote_counts_trimmed_answers_and_ties_go_to_the_first(answers: str, result: dict[str, Any]) -> None:
    assert run(f"return alc.vote({answers})").value == result


def test_the_cache_asks_once() -> None:
    code = """
    alc.cache('P q') alc.cache(' p  Q') alc.cache('p q', {system = 's'}) alc.cache('p q', {max_tokens = 9})
    alc.cache('one', {cache_key = 'k', seed = 1}) alc.cache('two', {cache_key = 'k'})
    alc.cache('p q', {cache_skip = true})
    local info = alc.cache_info()
    alc.cache_clear()
    return {info, alc.cache_info()}"""
    ended = run(code)
    assert ended.value == [
        {"entries": 4, "hits": 2, "misses": 4, "max_entries": 256},
        {"entries": 0, "hits": 0, "misses": 0, "max_entries": 256},
    ]
    assert queries(ended) == [
        QuerySpec("P q"),
        QuerySpec("p q", "s"),
        QuerySpec("p q", max_tokens=9),
        QuerySpec("one", extra={"seed": 1}),
        QuerySpec("p q"),
    ]


def test_the_cache_forgets_the_oldest() -> None:
    code = """
    for i = 1, 257 do alc.cache('p' .. i) end
    alc.cache('p2') alc.cache('p1')
    return alc.cache_info()"""
    assert run(code).value == {"entries": 256, "hits": 1, "misses": 258, "max_entries": 256}


def test_llm_safe_gives_the_default_and_a_warning() -> None:
    def refuse(prompt: str) -> str:
        raise Refused("no model")

    ended = run("return {alc.llm_safe('p', nil, 'd'), alc.llm_safe(nil, nil, 7)}", Host(refuse))
    assert ended.value == ["d", 7]
    assert [(level, text) for level, _, text in ended.logs] == [
        ("warn", "llm_safe: no model"),
        ("warn", "llm_safe: alc.llm: prompt must be a string, got nil"),
    ]
    assert run("return alc.llm_safe('p', {}, 'd')").value == "re: p"


def test_llm_json_repairs_once() -> None:
    answers = iter(['Sure: {"a": 1}', "{broken", '{"b": 2}', "no", "still no"])
    code = """
    local opts = {system = 's', max_tokens = 9}
    local a, raw_a = alc.llm_json('first', opts)
    local b, raw_b = alc.llm_json('second', opts)
    local c, raw_c = alc.llm_json('third')
    return {a, raw_a, b, raw_b, c == nil, raw_c, opts}"""
    ended = run(code, Host(lambda _: next(answers)))
    assert ended.value == [
        {"a": 1},
        'Sure: {"a": 1}',
        {"b": 2},
        '{"b": 2}',
        True,
        "still no",
        {"system": "s", "max_tokens": 9},
    ]
    repair = queries(ended)[2]
    assert "{broken" in repair.prompt
    assert "second" in repair.prompt
    assert "only valid JSON" in (repair.system or "")
    assert repair.max_tokens == 9


def test_ground_and_specify_leave_the_options_alone() -> None:
    ended = run("local o = {system = 's'} alc.ground('g', o) alc.specify('u', o) alc.ground('x') return o")
    assert ended.value == {"system": "s"}
    assert queries(ended) == [
        QuerySpec("g", "s", grounded=True),
        QuerySpec("u", "s", underspecified=True),
        QuerySpec("x", grounded=True),
    ]


def test_a_wrapped_llm_is_what_the_combinators_call() -> None:
    code = """
    local calls, original = 0, alc.llm
    alc.llm = function(...) calls = calls + 1 return original(...) end
    alc.cache('a') alc.ground('b') alc.llm_safe('c') alc.llm_json('d')
    return calls"""
    assert run(code, Host(lambda _: "{}")).value == 4


def test_fork_sends_names_and_ctx() -> None:
    outcome = [{"strategy": "a", "ok": True, "result": 1}, {"strategy": "b", "ok": False, "error": "e"}]
    requests: list[ForkRequest] = []

    def fork(request: ForkRequest) -> Any:
        requests.append(request)
        return outcome

    ended = run("return alc.fork({'a', 'b'}, {task = 't'}, {on_error = 'fail'})", Host(fork=fork))
    assert ended.value == outcome
    (request,) = requests
    assert (request.strategies, bytes(request.ctx), request.on_error) == (["a", "b"], b'{"task":"t"}', "fail")


def test_a_child_cannot_fork() -> None:
    host = Host(modules={"s": "return {run = function() local x = alc.fork({'a'}, {}) return x end}"})
    assert run("", host, strategy="s").error == "s/init.lua:1: alc.fork: a forked strategy cannot fork"


PIPE_MODULES = {"up": "return {run = function(ctx) ctx.result = ctx.task:upper() return ctx end}"}


def test_a_pipe_hands_results_on_as_tasks() -> None:
    code = """
    local stages, given = {}, {task = 'a', keep = 1}
    local function list(ctx) return {result = {ctx.task, 1}, keep = ctx.keep} end
    local function number(ctx) ctx.result = #ctx.task return ctx end
    local out = alc.pipe({'up', list, number}, given, {on_stage = function(i, name) stages[i] = name end})
    return {out, given, stages}"""
    out, given, stages = run(code, Host(modules=PIPE_MODULES)).value
    assert given == {"task": "a", "keep": 1}
    assert stages == ["up", "(inline-2)", "(inline-3)"]
    assert out == {
        "task": '["A",1]',
        "result": 7,
        "keep": 1,
        "pipe_history": [
            {"strategy": "up", "result": "A"},
            {"strategy": "(inline-2)", "result": ["A", 1]},
            {"strategy": "(inline-3)", "result": 7},
        ],
    }


def test_a_stage_that_fails_aborts_is_skipped_or_continued() -> None:
    code = """
    local function bad(ctx) ctx.left = true error('boom', 0) end
    local function last(ctx) return {result = ctx.task .. tostring(ctx.left)} end
    local function pipe(mode) return alc.pipe({'up', bad, last}, {task = 'a'}, {on_error = mode}) end
    local ok, message = pcall(function()
      local x = pipe('abort') return x end)
    return {message, pipe('skip').result, pipe('continue').result, pipe('skip').pipe_history[2]}"""
    ended = run(code, Host(modules=PIPE_MODULES))
    message, skipped, continued, history = ended.value
    assert message == "boom"
    assert ended.logs == [("warn", "alc.log", "alc.pipe: stage 2 ((inline-2)) failed: boom")] * 4
    assert (skipped, continued) == ("Anil", "Atrue")
    assert history == {"strategy": "(inline-2)", "error": "boom"}


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ("{a = 1, b = 2}, {b = 3, c = 4}", {"a": 1, "b": 3}),
        ("{a = 1}, nil", {"a": 1}),
        ("{a = 1}, {a = alc.null}", {"a": 1}),
        ("{a = {x = 1, y = {z = 2}}}, {a = {y = {z = 3}, w = 4}}", {"a": {"x": 1, "y": {"z": 3}}}),
        ("{a = {}, b = {}}, {a = {x = 1}, b = {2}}", {"a": {"x": 1}, "b": [2]}),
        ("{a = {1, 2}}, {a = {3}}", {"a": [3]}),
        ("{a = {x = 1}}, {a = {3}}", {"a": [3]}),
        ("{a = {x = 1}}, {a = 5}", {"a": 5}),
        ("{_schema = 1, a = {_schema = 2, x = {_schema = 3, y = 1}}}, {}", {"a": {"x": {"y": 1}}}),
        ("{a = 1}, {a = 9, p = {a = 2}}, {prefix = 'p'}", {"a": 2}),
        ("{a = 1}, {a = 9}, {prefix = 'p'}", {"a": 9}),
        ("{a = 1}, {a = 9, p = alc.null}, {prefix = 'p'}", {"a": 9}),
        ("{a = 1}, {a = 9, p = {}}, {prefix = 'p'}", {"a": 1}),
        ("{on = true}, {on = false}", {"on": False}),
    ],
)
def test_tuning_takes_from_ctx_what_the_defaults_know(arguments: str, result: dict[str, Any]) -> None:
    ended = run(f"return alc.tuning({arguments})")
    assert (ended.value, ended.logs) == (result, [])


def test_a_prefix_that_is_no_table_warns() -> None:
    ended = run("return alc.tuning({a = 1}, {p = 'x'}, {prefix = 'p'})")
    assert ended.value == {"a": 1}
    ((level, _, message),) = ended.logs
    assert level == "warn"
    assert "ctx.p must be a table, got string" in message


def test_tuning_copies() -> None:
    code = "local d = {a = {x = {}}} local t = alc.tuning(d, {}) t.a.x.y = 1 return d"
    assert run(code).value == {"a": {"x": {}}}


@pytest.mark.parametrize(
    ("stages", "error"),
    [
        ("{function() error({code = 7}) end}", {"code": 7}),
        ("{'none'}", "module 'none' not found"),
        ("{'empty'}", "alc.pipe: strategy 'empty' has no function run"),
        ("{function() return {result = {print}} end}",
         "alc.pipe: the result cannot become a task: cannot encode a function at $[1]"),
    ],
)  # fmt: skip
def test_an_aborted_pipe_raises_what_its_stage_raised(stages: str, error: Any) -> None:
    ended = run(
        f"local ok, e = pcall(alc.pipe, {stages}, {{task = 'a'}}) return {{ok, e}}",
        Host(modules={"empty": ""}),
    )
    assert ended.value[0] is False
    raised = ended.value[1]
    assert raised == error or raised.endswith(error)


def test_a_stage_sees_what_came_before_it_in_its_own_copy_of_ctx() -> None:
    code = """
    local seen = {}
    local function first(ctx) ctx.mine = 1 ctx.result = 'r' end
    local function second(ctx) seen = {#ctx.pipe_history, ctx.pipe_history[1].result, ctx.task, ctx.mine} return 5 end
    local given = {deep = {n = 1}}
    local out = alc.pipe({first, second}, given)
    return {seen, out.result, out.task, given.mine == nil, out.deep == given.deep, #out.pipe_history}"""
    assert run(code).value == [[1, "r", "r", 1], 5, "r", True, True, 2]


def test_eval_says_what_is_missing() -> None:
    error = run("alc.eval({}, 'cot') return 1").error
    assert error is not None
    assert error.startswith("session:1: alc.eval needs the package 'evalframe', which is not installed")


FRAME = """
assert(std.json.encode({1}) == '[1]' and std.time.now() > 0 and not std.fs.is_file('x') and not pcall(std.fs.read, 'x'))
local M = {graders = {exact = 'exact'}, scorers = {bool = 'b', linear_1_5 = 'l'}, providers = {}, llm_graders = {}}
M.bind = setmetatable({is_binding = function() return true end}, {__call = function(_, parts) return parts end})
function M.providers.algocline(what) return what end
function M.grader(name) return function(spec) return {name, type(spec.check)} end end
function M.llm_graders.yes_no(question, how) return {question ~= '', how.provider('judge me')} end
function M.suite(name)
  return function(spec)
    return {run = function() return {to_table = function() return {
      name = name, provider = spec.provider, cases = spec.cases, bindings = {spec[1], spec[2], spec[3]},
      results = {{score = 1}}, aggregated = {pass_rate = 0.5, total = 2, passed = 1, scores = {mean = 0.7}}} end} end}
  end
end
return M"""


def test_eval_makes_a_suite_of_the_frame_and_keeps_a_card_with_its_samples() -> None:
    kept: list[Any] = []
    calls = {
        "card.create": lambda card: kept.append(card) or {"card_id": "c-1", "path": "p"},
        "card.write_samples": lambda *given: kept.append(given) or {"path": "p", "count": 1},
    }
    code = """
    local scenario = {name = 'sc', cases = {{input = 'i'}}, graders = {'exact', 'llm_yes_no', function() return 1 end}}
    local report = alc.eval(scenario, 'cot', {strategy_opts = {n = 1}, auto_card = true, card_pkg = 'pk'})
    return {report, std == nil}"""
    ended = run(code, Host(modules={"evalframe": FRAME}, calls=calls))
    report, without_std = ended.value
    assert without_std
    assert report["name"] == "cot:sc"
    assert report["provider"] == {"strategy": "cot", "opts": {"n": 1}}
    assert report["cases"] == [{"input": "i"}]
    assert report["bindings"] == [["exact"], [[True, "re: judge me"], "b"], [["grader-3", "function"]]]
    assert report["card_id"] == "c-1"
    assert kept == [
        {
            "pkg": {"name": "pk"},
            "scenario": {"name": "sc"},
            "stats": {"pass_rate": 0.5, "mean_score": 0.7, "n": 2, "passed": 1},
        },
        ("c-1", [{"score": 1}]),
    ]
    assert queries(ended) == [QuerySpec("judge me", extra={"role": "grader"})]


def test_eval_takes_a_scenario_from_a_package_with_its_own_provider_and_bindings() -> None:
    scenario = "return {provider = 'own', 'first', 'second', cases = {1}}"
    ended = run("return alc.eval('sc', 'cot')", Host(modules={"evalframe": FRAME, "sc": scenario}))
    assert (ended.value["name"], ended.value["provider"]) == ("cot:sc", "own")
    assert ended.value["bindings"] == ["first", "second"]
    assert "card_id" not in ended.value


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("alc.eval({}, nil)", "alc.eval: strategy must be the name of a package, got nil"),
        ("alc.eval(nil, 'cot')", "alc.eval: scenario must be a table or the name of a package, got nil"),
        ("alc.eval('none', 'cot')", "alc.eval: scenario 'none' cannot be loaded: module 'none' not found"),
        ("alc.eval('five', 'cot')", "alc.eval: scenario 'five' must return a table, got number"),
        ("alc.eval({graders = {'what'}}, 'cot')", "alc.eval: unknown grader 'what'"),
        ("alc.eval({graders = {5}}, 'cot')", "alc.eval: a grader must be a name or a function, got number"),
    ],
)
def test_eval_refuses_what_it_cannot_measure(call: str, message: str) -> None:
    ended = run(f"\n{call}\nreturn 1", Host(modules={"evalframe": FRAME, "five": "return 5"}))
    assert ended.error == f"session:2: {message}"


def test_the_frame_loads_when_a_package_requires_it_itself() -> None:
    code = "local frame = require('evalframe') return {type(frame.suite), std == nil}"
    assert run(code, Host(modules={"evalframe": FRAME})).value == ["function", True]
    code = "std = {json = {encode = function() return '[1]' end}, time = {now = function() return 1 end}, fs = {is_file = type, read = error}} std.fs.is_file = function() return false end pcall(require, 'evalframe') return std.time.now()"
    assert run(code, Host(modules={"evalframe": FRAME})).value == 1


def test_eval_says_when_what_is_installed_is_no_frame() -> None:
    ended = run("alc.eval({}, 'cot') return 1", Host(modules={"evalframe": "return {}"}))
    assert (ended.error or "").endswith("the package 'evalframe' that is installed has no suite and bind")
