"""alc.state, alc.card, alc.stats, budgets, directories: what is asked of the host, and how its answers look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from moonward.actors.worker.wire import CallRequest

from .harness import Ended, Host, Refused, run


def calls_of(ended: Ended) -> list[tuple[str, list[Any]]]:
    return [
        (each.name, msgspec.json.decode(bytes(each.args)))
        for each in ended.requests
        if isinstance(each, CallRequest)
    ]


def fixed(**results: Any) -> dict[str, Callable[..., Any]]:
    return {name.replace("__", "."): (lambda *_, value=value: value) for name, value in results.items()}


def test_state_travels_with_its_namespace() -> None:
    calls = fixed(
        state__get=None, state__set=None, state__keys=["a"], state__delete=True, state__has=False, state__set_nx=True,
        state__incr=3,
    )  # fmt: skip
    code = """
    local s = alc.state
    return {s.get('k') == nil, s.get('k', 'd'), s.set('k', {1, nil, 3}), s.keys(), s.delete('k'), s.has('k'),
            s.set_nx('k', 1.0), s.incr('k'), s.incr(5, 2, 10)}"""
    ended = run(code, Host(calls=calls), ctx={"_ns": "mine"})
    assert ended.value == [True, "d", None, ["a"], True, False, True, 3, 3]
    assert calls_of(ended) == [
        ("state.get", ["mine", "k"]),
        ("state.get", ["mine", "k"]),
        ("state.set", ["mine", "k", [1, None, 3]]),
        ("state.keys", ["mine"]),
        ("state.delete", ["mine", "k"]),
        ("state.has", ["mine", "k"]),
        ("state.set_nx", ["mine", "k", 1.0]),
        ("state.incr", ["mine", "k", 1, 0]),
        ("state.incr", ["mine", "5", 2, 10]),
    ]


def test_a_namespace_that_is_no_string_is_the_default() -> None:
    host = Host(calls=fixed(state__keys=[]))
    for ctx in ({}, {"_ns": 5}, [1], "text"):
        assert calls_of(run("return alc.state.keys()", host, ctx=ctx)) == [("state.keys", ["default"])]


def test_update_reads_applies_and_writes() -> None:
    calls = fixed(state__get=4, state__set=None)
    ended = run("return alc.state.update('k', function(v) return v + 1 end, 0)", Host(calls=calls))
    assert ended.value == 5
    assert calls_of(ended)[1] == ("state.set", ["default", "k", 5])


def test_a_refusal_is_an_error_at_the_callers_line() -> None:
    def refuse(*_: Any) -> Any:
        raise Refused("the value of 'k' must be a number, got string")

    host = Host(calls={"state.incr": refuse, "card.get": refuse})
    assert run("\nalc.state.incr('k') return 1", host).error == (
        "session:2: alc.state.incr: the value of 'k' must be a number, got string"
    )
    assert (run("\nalc.card.get('k') return 1", host).error or "").startswith("session:2: alc.card.get: ")


def test_wrong_arguments_never_reach_the_host() -> None:
    for code, message in [
        ("alc.state.get({})", "alc.state.get: key must be a string, got table"),
        ("alc.state.set('k', print)", "alc.state.set: cannot encode a function at $"),
        ("alc.state.incr('k', 'x')", "alc.state.incr: delta and default must be numbers"),
        ("alc.state.update('k')", "alc.state.update: fn must be a function, got nil"),
        ("alc.card.create({f = print})", "alc.card.create: cannot encode a function at $.f"),
        ("alc.stats.record({}, 1)", "alc.stats.record: key must be a string, got table"),
        ("alc.stats.record('k', 0/0)", "alc.stats.record: cannot encode NaN at $"),
    ]:
        ended = run(f"{code} return 1")
        assert (ended.error, ended.requests) == (f"session:1: {message}", [])


def test_cards_travel_as_they_are() -> None:
    names = ["create", "get", "list", "append", "alias_set", "alias_list", "get_by_alias", "find", "write_samples",
             "read_samples", "lineage"]  # fmt: skip
    host = Host(
        calls={f"card.{name}": lambda *_: {"ok": True} for name in names} | {"card.get": lambda *_: None}
    )
    code = """
    local c = alc.card
    c.create({pkg = {name = 'p'}}) c.list() c.list({pkg = 'p'}) c.append('i', {x = 1}) c.alias_set('n', 'i')
    c.alias_list() c.get_by_alias('n') c.find({limit = 1}) c.write_samples('i', {{a = 1}}) c.read_samples('i')
    c.lineage({card_id = 'i'})
    return c.get('i') == nil"""
    ended = run(code, host)
    assert ended.value is True
    assert calls_of(ended) == [
        ("card.create", [{"pkg": {"name": "p"}}]),
        ("card.list", [None]),
        ("card.list", [{"pkg": "p"}]),
        ("card.append", ["i", {"x": 1}]),
        ("card.alias_set", ["n", "i", None]),
        ("card.alias_list", [None]),
        ("card.get_by_alias", ["n"]),
        ("card.find", [{"limit": 1}]),
        ("card.write_samples", ["i", [{"a": 1}]]),
        ("card.read_samples", ["i", None]),
        ("card.lineage", [{"card_id": "i"}]),
        ("card.get", ["i"]),
    ]


def test_stats_are_told_and_kept() -> None:
    code = """
    local t = {1, 2}
    alc.stats.record('a', t) alc.stats.record('a', 5) alc.stats.record('t', t) t[1] = 9
    return {alc.stats.get('a'), alc.stats.get('t'), alc.stats.get('none') == nil}"""
    ended = run(code)
    assert ended.value == [5, [1, 2], True]
    assert ended.notes == [["stat", "a", [1, 2]], ["stat", "a", 5], ["stat", "t", [1, 2]]]


def test_a_budget_is_what_the_host_says() -> None:
    code = "return {alc.budget_remaining(), alc.budget_check()}"
    for left, ok in [
        ({"llm_calls": 1, "tokens": 0}, True),
        ({"llm_calls": 0}, False),
        ({"elapsed_ms": 0, "llm_calls": 4}, False),
    ]:
        assert run(code, Host(calls=fixed(budget__remaining=left))).value == [left, ok]
    none = run(
        "return {alc.budget_remaining() == nil, alc.budget_check()}",
        Host(calls=fixed(budget__remaining=None)),
    )
    assert none.value == [True, True]


def test_directories_are_told() -> None:
    dirs = {"state": "/s", "cards": "/c", "scenarios": "/n"}
    assert run("return alc._dirs", dirs=dirs).value == dirs


def test_notes_come_before_the_request_that_follows_and_in_time() -> None:
    ended = run("print('a') alc.llm('x') for i = 1, 300 do print(('y'):rep(100)) end alc.llm('z')")
    kinds = [type(each).__name__ for each in ended.seen]
    assert kinds[:2] == ["Notes", "AskRequest"]
    assert kinds[2:-2].count("Notes") >= 3
    assert len(ended.logs) == 301
