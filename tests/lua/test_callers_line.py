"""Every function of the library refuses a wrong argument, or the host's refusal, at the line that called it."""

from __future__ import annotations

from typing import Any

import pytest

from moonward.actors.library import library

from .harness import Host, Refused, run

WRONG = """
alc.llm() alc.llm({}) alc.llm_batch() alc.llm_batch({}) alc.ground({}) alc.specify() alc.llm_json() alc.cache({})
alc.parallel() alc.parallel({1},1) alc.fork() alc.pipe() alc.eval() alc.tuning() alc.map() alc.filter({}) alc.reduce({},1)
alc.vote() alc.chunk() alc.chunk('x',{mode='z'}) alc.match_enum() alc.match_enum('x') alc.match_enum('x',{{}})
alc.match_bool() alc.json_encode(print) alc.json_decode() alc.json_decode('{') alc.fingerprint() alc.progress()
alc.stats.record() alc.stats.get() alc.stats.record('x',print) alc.state.get() alc.state.set() alc.state.set('k',print)
alc.state.delete() alc.state.has() alc.state.set_nx() alc.state.incr() alc.state.incr('k',{}) alc.state.update()
alc.state.update('k') alc.card.create(print)
"""
"""Calls that are refused in Lua."""

REFUSED = """
alc.state.get('k') alc.state.set('k',1) alc.state.keys() alc.state.delete('k') alc.state.has('k') alc.state.set_nx('k',1)
alc.state.incr('k') alc.state.update('k',print) alc.card.create({}) alc.card.get('x') alc.card.list() alc.card.append()
alc.card.alias_set() alc.card.alias_list() alc.card.get_by_alias() alc.card.find() alc.card.write_samples()
alc.card.read_samples() alc.card.lineage() alc.budget_remaining() alc.budget_check() alc.llm('x')
alc.llm_batch{{prompt='x'}} alc.ground('x') alc.specify('x') alc.cache('x') alc.llm_json('x')
alc.parallel({1},tostring) require('x')
"""
"""Calls that the host refuses."""

NEVER = {
    "cache_clear",
    "cache_info",
    "json_extract",
    "llm_safe",
    "log",
    "parse_number",
    "parse_score",
    "time",
}
"""Functions that take whatever they are given."""


def refuse(*_: Any) -> Any:
    raise Refused("not today")


@pytest.fixture(scope="module")
def host() -> Host:
    groups = {
        "state": "get set keys delete has set_nx incr",
        "card": "create get list append alias_set alias_list get_by_alias find write_samples read_samples lineage",
        "budget": "remaining",
    }
    calls = {f"{group}.{name}": refuse for group, names in groups.items() for name in names.split()}
    return Host(refuse, calls=calls, fork=refuse)


@pytest.mark.parametrize("call", [*WRONG.split(), *REFUSED.split()])
def test_an_error_names_the_line_of_the_call(call: str, host: Host) -> None:
    ended = run(f"\n\n\n{call}\nreturn 1", host)
    assert ended.kind == "lua"
    assert (ended.error or "").startswith("session:4: "), ended.error
    assert (call in REFUSED.split()) == (ended.error or "").endswith(("not today", "not found"))


@pytest.mark.parametrize(
    "call", ["alc.llm()", "alc.state.incr('k')", "alc.chunk()", "alc.map()", "alc.pipe()"]
)
def test_in_a_module_it_names_the_line_of_the_module(call: str, host: Host) -> None:
    host.modules = {"m": f"return {{run = function()\n  local x = {call}\n  return x\nend}}"}
    ended = run("return require('m').run()", host)
    assert (ended.error or "").startswith("m/init.lua:2: "), ended.error


def test_no_function_is_left_out() -> None:
    called = {
        call.removeprefix("alc.").partition("(")[0].partition("{")[0]
        for call in [*WRONG.split(), *REFUSED.split()]
    }
    functions = {
        entry.name
        for entry in library().entries()
        if entry.is_function and not entry.name.startswith("math.")
    }
    assert called - {"require"} == functions - NEVER


@pytest.mark.parametrize(
    "call",
    ["alc.json_extract()", "alc.parse_score()", "alc.parse_score({}, 3)", "alc.parse_number({})", "alc.log()",
     "alc.log({}, {})", "alc.log('loud', 'x')", "alc.llm_safe()", "alc.cache_info(1)", "alc.time(1)", "alc.cache_clear(1)"],
)  # fmt: skip
def test_some_functions_take_anything(call: str) -> None:
    assert run(f"{call} return 1").value == 1
