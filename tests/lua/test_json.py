"""alc.json_encode and alc.json_decode, against Python's own codec."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .harness import Conversation, run

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def round_trip() -> Iterator[Conversation]:
    conversation = Conversation("return alc.json_encode(alc.json_decode(input))")
    yield conversation
    conversation.close()


def same(a: Any, b: Any) -> bool:
    """Equal, with types: 1 is not 1.0, 0.0 is not -0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b)
    return bool(a == b)


@settings(max_examples=300, deadline=None)
@given(value=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_what_was_decoded_is_encoded_the_same(
    round_trip: Conversation, value: Any, ascii_only: bool, indent: int | None
) -> None:
    ok, text = round_trip(json.dumps(value, ensure_ascii=ascii_only, indent=indent))
    assert ok, text
    assert same(json.loads(text), value)


@settings(max_examples=300, deadline=None)
@given(text=st.text('{}[]",:\\ue0123456789.-+ntrufalse \n\x01', max_size=12))
def test_what_is_no_json_is_refused_and_what_is_taken(round_trip: Conversation, text: str) -> None:
    def no(constant: str) -> None:
        raise ValueError(constant)

    try:
        value = json.loads(text, parse_constant=no)
        json.dumps(value, allow_nan=False)
        text.encode()
        json.dumps(value, ensure_ascii=False).encode()
        good = True
    except (ValueError, UnicodeEncodeError):
        good = False
    ok, result = round_trip(text)
    assert ok == good, result


def test_a_long_text_is_quick() -> None:
    code = r"""
    local text = alc.json_encode({('x"\n'):rep(300000), ('あ'):rep(300000)})
    local back = alc.json_decode(text)
    local numbers = {}
    for i = 1, 50000 do numbers[i] = i * 1.5 end
    return {#back[1], #back[2], #alc.json_decode(alc.json_encode(numbers))}"""
    assert run(code).value == [900_000, 900_000, 50_000]


@pytest.mark.parametrize(
    ("lua", "text"),
    [
        ("{}", "{}"),
        ("alc.json_decode('[]')", "[]"),
        ("alc.json_decode('{\"a\":[]}')", '{"a":[]}'),
        ("{1, 2, nil, 4}", "[1,2,null,4]"),
        ("{[2] = 'b'}", '[null,"b"]'),
        ("{[3] = 'c'}", '{"3":"c"}'),
        ("{[1] = 1, [3] = 3, [7] = 7}", '{"1":1,"3":3,"7":7}'),
        ("{[1] = 1, [3] = 3, [6] = 6}", "[1,null,3,null,null,6]"),
        ("{[0] = 'z', [-1] = 'm'}", '{"-1":"m","0":"z"}'),
        ("{b = 1, a = 2, ['a b'] = 3}", '{"a":2,"a b":3,"b":1}'),
        ("{1, alc.null, true, 'x'}", '[1,null,true,"x"]'),
        ("{1.0, -0.0, 1e15, 1e16, 0.1, 2^53}", "[1.0,-0.0,1e+15,1e+16,0.1,9007199254740992.0]"),
        ("nil", "null"),
        ("'\\0\\31\\127\"\\\\/'", '"\\u0000\\u001f\x7f\\"\\\\/"'),
        ("setmetatable({1}, {__index = error, __len = error, __pairs = error})", "[1]"),
    ],
)
def test_the_rules_of_encoding(lua: str, text: str) -> None:
    assert run(f"return alc.json_encode({lua})").value == text


def test_keys_beside_an_array_are_left_out_with_a_warning() -> None:
    ended = run("return alc.json_encode({a = {1, 2, x = 3, [0] = 4}})")
    assert ended.value == '{"a":[1,2]}'
    ((level, source, message),) = ended.logs
    assert (level, source) == ("warn", "engine")
    assert "2 keys" in message
    assert "$.a" in message


@pytest.mark.parametrize(
    ("lua", "message"),
    [
        ("{a = {print}}", "a function at $.a[1]"),
        ("{['x y'] = 0/0}", 'NaN at $["x y"]'),
        ("1/0", "an infinity at $"),
        ("'a\\xff'", "a string that is not valid UTF-8 at $"),
        ("{['\\xff'] = 1}", "a string that is not valid UTF-8 at"),
        ("{[true] = 1}", "a table with a key of type boolean at $"),
        ("{x = {[1.5] = 1}}", "a table with a key of type number at $.x"),
        ("{[5] = 1, ['5'] = 1}", "two keys"),
        ("(function() local t = {} t.a = {t} return t end)()", "a cycle at $.a[1]"),
        ("(function() local t = {} for i = 1, 97 do t = {t} end return t end)()", "more than 96 levels"),
        ("coroutine.create(print)", "a thread at $"),
    ],
)
def test_what_json_cannot_say_is_an_error_with_its_place(lua: str, message: str) -> None:
    ended = run(f"local value = {lua}\nlocal text = alc.json_encode(value) return text")
    assert ended.error is not None
    assert ended.error.startswith("session:2: alc.json_encode: cannot encode ")
    assert message in ended.error


@pytest.mark.parametrize(
    "text",
    ["", "nul", "[1,]", '{"a"}', '{"a":1,}', "01", "1.", ".5", "+1", "1e", "1e999", "NaN", '"\\x"', '"\\ud800"', '"a', "1 2", "[" * 600 + "]" * 600],
)  # fmt: skip
def test_a_bad_text_is_an_error_at_the_callers_line(text: str) -> None:
    ended = run("local v = alc.json_decode(ctx.text) return v", ctx={"text": text})
    assert ended.error is not None
    assert ended.error.startswith("session:1: alc.json_decode: ")


def test_null_is_neither_nil_nor_a_table() -> None:
    code = """
    local v = alc.json_decode('{"a": null, "b": [null, 1]}')
    return {type(v.a), tostring(v.a), v.a == alc.null, v.b[1] == alc.null, #v.b, v.c == nil, getmetatable(v.a)}"""
    assert run(code).value == ["userdata", "null", True, True, 2, True, False]


def test_integers_and_floats_are_told_apart() -> None:
    code = """
    local v = alc.json_decode('[1, 1.0, 9223372036854775807, 9223372036854775808, -0, 1e2]')
    local types = {} for i = 1, #v do types[i] = math.type(v[i]) end return types"""
    assert run(code).value == ["integer", "float", "integer", "float", "integer", "float"]
