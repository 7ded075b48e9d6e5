"""alc.llm and alc.llm_batch: what travels, what comes back, and from where they can be called."""

from __future__ import annotations

import pytest

from moonward.actors.query import QuerySpec
from moonward.actors.worker.wire import AskRequest

from .harness import Host, Refused, run


def specs(code: str) -> list[QuerySpec]:
    ended = run(code)
    assert ended.error is None, ended.error
    return [query for each in ended.requests if isinstance(each, AskRequest) for query in each.queries]


def test_the_answer_comes_back() -> None:
    assert run("return alc.llm('hello')").value == "re: hello"


def test_options_travel_and_wrong_types_count_as_absent() -> None:
    code = """alc.llm('p', {system='s', max_tokens=9, grounded=true, underspecified=true, temperature=0.5, top='x', f=print})
    alc.llm('p', {system={}, max_tokens='9', grounded=1, underspecified='yes', list={}})
    alc.llm(42, {system=7, max_tokens=16.0})
    alc.llm('p', 'not a table')"""
    assert specs(code) == [
        QuerySpec("p", "s", 9, True, True, {"temperature": 0.5, "top": "x"}),
        QuerySpec("p"),
        QuerySpec("42", "7", 16),
        QuerySpec("p"),
    ]


def test_a_batch_is_one_request_answered_in_order() -> None:
    ended = run("return alc.llm_batch{{prompt='a', system='s'}, {prompt='b', seed=3}, nil, {prompt='d'}}")
    assert ended.value == ["re: a", "re: b"]
    (request,) = ended.requests
    assert isinstance(request, AskRequest)
    assert request.queries == [QuerySpec("a", "s"), QuerySpec("b", extra={"seed": 3})]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("alc.llm()", "alc.llm: prompt must be a string, got nil"),
        ("alc.llm(alc.null)", "alc.llm: prompt must be a string, got null"),
        ("alc.llm_batch({})", "alc.llm_batch: items must be a non-empty array"),
        ("alc.llm_batch('x')", "alc.llm_batch: items must be an array, got string"),
        ("alc.llm_batch{'x'}", "alc.llm_batch: item 1 must be a table with a prompt, got string"),
        ("alc.llm_batch{{prompt='a'},{}}", "alc.llm_batch: item 2: prompt must be a string, got nil"),
    ],
)
def test_a_wrong_argument_is_an_error_at_the_callers_line(call: str, message: str) -> None:
    ended = run(f"\n\n{call}\nreturn 1")
    assert (ended.error, ended.kind) == (f"session:3: {message}", "lua")


def test_a_refusal_is_an_error_at_the_callers_line_that_can_be_caught() -> None:
    def refuse(prompt: str) -> str:
        raise Refused("budget_exceeded: max_llm_calls (2) reached (2 used)")

    ended = run(
        "\nlocal ok, e = pcall(function()\n local r = alc.llm('x')\n return r end) return e", Host(refuse)
    )
    assert ended.value == "session:3: budget_exceeded: max_llm_calls (2) reached (2 used)"


def test_it_works_anywhere() -> None:
    code = """
    local a = string.gsub('x', 'x', function() return alc.llm('gsub') end)
    local t = {3, 1, 2}
    table.sort(t, function(x, y) alc.llm('sort') return x < y end)
    local co = coroutine.wrap(function() coroutine.yield(alc.llm('coroutine')) end)
    local m = setmetatable({}, {__index = function(_, k) return alc.llm(k) end})
    local ok, p = pcall(alc.llm, 'pcall')
    return {a, co(), m.index, p, t[1]}"""
    assert run(code).value == ["re: gsub", "re: coroutine", "re: index", "re: pcall", 1]


def test_a_prompt_cut_inside_a_character_is_repaired_with_a_warning() -> None:
    ended = run("return alc.llm(string.sub('aあ', 1, 3), {system='\\xff'})")
    (query,) = [query for each in ended.requests if isinstance(each, AskRequest) for query in each.queries]
    assert (query.prompt, query.system) == ("a\ufffd", "\ufffd")
    assert [(level, source) for level, source, _ in ended.logs] == [("warn", "engine")] * 2


@pytest.mark.parametrize(
    ("code", "name", "fields"),
    [
        ("alc.llm(('x'):rep(60), {system=('y'):rep(60)})", "max_query_bytes", {"max_query_bytes": 100}),
        (
            "local t = {} for i=1,5 do t[i]={prompt='p'} end alc.llm_batch(t)",
            "max_queries",
            {"max_queries": 4},
        ),
        ("alc.llm(('x'):rep(5000))", "max_frame_bytes", {"max_frame_bytes": 4096}),
    ],
)
def test_a_crossed_limit_is_named_and_can_be_caught(code: str, name: str, fields: dict[str, int]) -> None:
    uncaught = run(code, **fields)
    assert uncaught.kind == "limit"
    assert uncaught.error is not None
    assert name in uncaught.error
    caught = run(f"pcall(function() {code} end) return alc.llm('still here')", **fields)
    assert caught.value == "re: still here"


def test_a_reply_that_does_not_fit_ends_the_session_although_the_script_catches() -> None:
    host = Host(lambda prompt: "x" * (4 << 20))
    ended = run("pcall(alc.llm, 'big') return 'went on'", host, memory_bytes=2 << 20)
    assert ended.kind == "limit"
    assert ended.error is not None
    assert "reply" in ended.error
