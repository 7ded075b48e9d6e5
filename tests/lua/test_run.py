"""How a run begins and ends: results, errors, kinds of errors, limits."""

from __future__ import annotations

from typing import Any

import pytest

from .harness import Host, run


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("", None),
        ("return 1, 2", 1),
        ("return {1,2,nil,4}", [1, 2, None, 4]),
        ("return {[1]=1,x=2}", [1]),
        ("return {}", {}),
        ("return alc.json_decode('[]')", []),
        ("return alc.null", None),
        ("return {a=alc.null}", {"a": None}),
        ("return 1<<62", 1 << 62),
        ("return math.mininteger", -(1 << 63)),
        ("return 'a\\0b\\u{10FFFF}'", "a\0b\U0010ffff"),
        ("return ctx.task", "t"),
        ("return {ctx.none == alc.null, type(ctx.none)}", [True, "userdata"]),
        ("#!/usr/bin/lua\nreturn 1", 1),
    ],
)
def test_a_result_is_json(code: str, value: Any) -> None:
    ended = run(code, ctx={"task": "t", "none": None})
    assert (ended.value, ended.error) == (value, None)


def test_integers_and_floats_stay_apart() -> None:
    ended = run("return {1, 1.0, -0.0, 1e100, 5e-324, 0.1}")
    assert repr(ended.value) == "[1, 1.0, -0.0, 1e+100, 5e-324, 0.1]"


@pytest.mark.parametrize(
    ("code", "error", "kind"),
    [
        ("error('x')", "session:1: x", "lua"),
        ("error('x', 0)", "x", "lua"),
        ("error()", "nil", "lua"),
        ("error({code=1, message='m'})", '{"code":1,"message":"m"}', "lua"),
        ("error(setmetatable({}, {__tostring=function() return 'shown' end}))", "shown", "lua"),
        ("error(print)", "function: 0x00000001", "lua"),
        ("return {", "session:1: unexpected symbol near <eof>", "syntax"),
        ("return print", "the result cannot be encoded: a function at $", "lua"),
        ("return {a={0/0}}", "the result cannot be encoded: NaN at $.a[1]", "lua"),
        ("return '\\xff'", "the result cannot be encoded: a string that is not valid UTF-8 at $", "lua"),
        ("error('not enough memory')", "session:1: not enough memory", "lua"),
        ("local t = nil\nreturn t.x", "session:2: attempt to index a nil value (local 't')", "lua"),
    ],
)
def test_an_error_is_text_with_a_kind(code: str, error: str, kind: str) -> None:
    ended = run(code)
    assert (ended.error, ended.kind) == (error, kind)


@pytest.mark.parametrize(
    "code",
    [
        "local s = 'x' while true do s = s .. s end",
        "return #string.rep('x', 1e8)",
        "T = {} for i = 1, 1e9 do T[i] = ('y'):rep(10) .. i end",
        "local t = {} for i = 1, 1e7 do t[i] = coroutine.create(print) end",
    ],
)
def test_memory_that_runs_out_is_a_limit(code: str) -> None:
    ended = run(code, memory_bytes=8 << 20)
    assert ended.kind == "limit"
    assert ended.error is not None
    assert "memory" in ended.error


def test_memory_that_runs_out_can_be_caught() -> None:
    code = "local ok = pcall(function() local t = {} for i = 1, 1e9 do t[i] = {} end end) return {ok, alc.llm('on')}"
    assert run(code, memory_bytes=8 << 20).value == [False, "re: on"]


def test_a_result_that_is_too_large_is_a_limit() -> None:
    ended = run("return ('x'):rep(200)", max_result_bytes=100)
    assert (ended.error, ended.kind) == ("the result is larger than max_result_bytes (100)", "limit")


def test_a_script_that_is_too_large_is_a_limit() -> None:
    ended = run("return 1" + " " * 100, max_code_bytes=50)
    assert ended.kind == "limit"


def test_an_error_is_cut_between_characters() -> None:
    ended = run("error(('あ'):rep(100), 0)", max_error_bytes=10)
    assert ended.error == "あああ"


def test_a_strategy_runs_instead_of_the_code() -> None:
    host = Host(modules={"s": "return {run = function(ctx) return ctx.task .. '!' end}"})
    assert run("error('not me')", host, ctx={"task": "t"}, strategy="s").value == "t!"


def test_logs_come_before_the_end_in_order() -> None:
    code = "print('a\\n', 1, nil) alc.log('warn', 'b') alc.log('odd', {}) io.write('c', 1) io.stderr:write('d\\ne')"
    assert run(code).logs == [
        ("info", "alc.lua.print", "a\n\t1\tnil"),
        ("warn", "alc.log", "b"),
        ("info", "alc.log", "table: 0x00000001"),
        ("warn", "alc.lua.print", "d"),
        ("info", "alc.lua.print", "c1"),
        ("warn", "alc.lua.print", "e"),
    ]


def test_progress_and_long_logs() -> None:
    ended = run("alc.progress(1, 4.0, 'm') alc.progress(2, 4) print(('あ'):rep(9))", max_log_bytes=10)
    assert ended.notes == [
        ["progress", 1, 4, "m"],
        ["progress", 2, 4, None],
        ["log", "info", "alc.lua.print", "あああ"],
    ]
