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
        ("alc.parallel({}, print)", "parallel: items must be a non-empty array"),
        ("alc.parallel('x', print)", "parallel: items must be a non-empty array"),
        ("alc.parallel({1}, 'x')", "parallel: prompt_fn must be a function"),
        ("alc.parallel({1}, function() end)", "parallel: prompt_fn must return string or table, got nil (item 1)"),
        ("alc.parallel({1}, function() return {} end)", "parallel: prompt_fn returned table without .prompt (item 1)"),
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
    assert stages == ["up", "function", "function"]
    assert out == {
        "task": '["A",1]',
        "result": 7,
        "keep": 1,
        "pipe_history": [
            {"strategy": "up", "result": "A"},
            {"strategy": "function", "result": ["A", 1]},
            {"strategy": "function", "result": 7},
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
    assert message.endswith("alc.pipe: stage 2 (function) failed: boom")
    assert (skipped, continued) == ("Anil", "Atrue")
    assert history == {"strategy": "function", "error": "boom"}


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ("{a = 1, b = 2}, {b = 3, c = 4}", {"a": 1, "b": 3}),
        ("{a = 1}, nil", {"a": 1}),
        ("{a = 1}, {a = alc.null}", {"a": 1}),
        ("{a = {x = 1, y = {z = 2}}}, {a = {y = {z = 3}, w = 4}}", {"a": {"x": 1, "y": {"z": 3}, "w": 4}}),
        ("{a = {1, 2}}, {a = {3}}", {"a": [3]}),
        ("{a = {x = 1}}, {a = {3}}", {"a": [3]}),
        ("{a = {x = 1}}, {a = 5}", {"a": 5}),
        ("{_schema = 1, a = {_schema = 2, x = {_schema = 3, y = 1}}}, {}", {"a": {"x": {"y": 1}}}),
        ("{a = 1}, {a = 9, p = {a = 2}}, {prefix = 'p'}", {"a": 2}),
        ("{a = 1}, {a = 9}, {prefix = 'p'}", {"a": 1}),
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


def test_eval_says_what_is_missing() -> None:
    error = run("alc.eval('s', 'cot') return 1").error
    assert error is not None
    assert error.startswith("session:1: alc.eval needs the package 'evalframe', which is not installed")


def test_eval_runs_the_frame_and_keeps_a_card() -> None:
    frame = "return {run = function(scenario, strategy, opts) return {score = 1, who = strategy, o = opts.strategy_opts} end}"
    cards: list[Any] = []

    def create(card: Any) -> Any:
        cards.append(card)
        return {"card_id": "c-1", "path": "p"}

    code = (
        "return alc.eval({name = 'sc'}, 'cot', {strategy_opts = {n = 1}, auto_card = true, card_pkg = 'pk'})"
    )
    ended = run(code, Host(modules={"evalframe": frame}, calls={"card.create": create}))
    assert ended.value == {"score": 1, "who": "cot", "o": {"n": 1}, "card_id": "c-1"}
    assert cards[0]["pkg"] == {"name": "pk"}
