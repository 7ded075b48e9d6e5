"""Arguments as clients write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonward.actors.errors import SettingsError
from moonward.servers.arguments import MAX_NAME_CHARS, Arguments

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)

OBJECTS = st.dictionaries(st.text(max_size=5), JSON, max_size=3)


@given(OBJECTS)
def test_an_object_is_the_same_as_its_json_text(value: dict[str, Any]) -> None:
    assert Arguments({"ctx": value}).object("ctx") == value
    assert Arguments({"ctx": json.dumps(value)}).object("ctx") == value


@given(st.lists(OBJECTS, max_size=3))
def test_a_list_of_objects_may_be_text_as_a_whole_and_in_its_parts(value: list[dict[str, Any]]) -> None:
    for written in (value, json.dumps(value), [json.dumps(each) for each in value]):
        assert Arguments({"responses": written}).objects("responses") == value


def test_one_object_is_a_list_of_one() -> None:
    assert Arguments({"responses": {"a": 1}}).objects("responses") == [{"a": 1}]


@given(JSON)
def test_free_text_takes_any_json_value_as_its_text(value: Any) -> None:
    text = Arguments({"response": value}).text("response")
    if value is None or isinstance(value, str):
        assert text == value
    else:
        assert text is not None
        assert json.loads(text) == value


@given(st.integers(0, 2**53))
def test_a_whole_number_may_be_a_string_or_a_float_without_a_fraction(value: int) -> None:
    for written in (value, str(value), float(value)):
        assert Arguments({"limit": written}).whole("limit") == value


@pytest.mark.parametrize("written", [True, "true", "TRUE", "yes", 1, "1"])
def test_a_flag_may_be_a_word(written: Any) -> None:
    assert Arguments({"force": written}).truth("force") is True


def test_what_is_absent_or_null_is_the_default() -> None:
    for given_ in ({}, None, {"x": None}, {"other": 1}):
        arguments = Arguments(given_)
        assert not arguments.has("x")
        assert arguments.optional_name("x") is None
        assert arguments.string("x") is None
        assert arguments.text("x") is None
        assert arguments.object("x") is None
        assert arguments.objects("x") is None
        assert arguments.whole("x", 7) == 7
        assert arguments.truth("x") is False
    assert Arguments({"x": None}).is_null("x")
    assert not Arguments({}).is_null("x")
    assert Arguments({"x": "null"}).object("x") is None
    assert Arguments({"x": "  "}).object("x") is None


@pytest.mark.parametrize(
    ("ask", "value", "why"),
    [
        ("name", None, "x is missing: a string is needed"),
        ("name", 5, "x must be a string, got number"),
        ("name", "s" * (MAX_NAME_CHARS + 1), r"at most 255 characters.*not found"),
        ("string", [1], "x must be a string, got array"),
        ("object", "{broken", "x must be an object, got string '{broken'"),
        ("object", "[1]", r"x must be an object, got string '\[1\]'"),
        ("object", True, "x must be an object, got bool"),
        ("objects", 5, "x must be a list of objects, got number"),
        ("objects", [{}, 5], r"x\[1\] must be an object, got number"),
        ("whole", True, "x must be a whole number, got bool"),
        ("whole", 1.5, "x must be a whole number, got number"),
        ("whole", -1, "x must be a whole number from 0, got -1"),
        ("whole", "many", "x must be a whole number, got string 'many'"),
        ("whole", "9" * 5000, "x must be a whole number, got string"),
        ("truth", "notbool", "x must be true or false, got string 'notbool'"),
        ("truth", 2, "x must be true or false, got number"),
        ("truth", [], "x must be true or false, got array"),
    ],
)
def test_anything_else_is_refused_by_name(ask: str, value: Any, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        getattr(Arguments({"x": value}), ask)("x")


def test_a_long_value_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        Arguments({"x": "y" * 1_000_000}).object("x")
    assert len(str(caught.value)) < 100


def test_deep_json_text_is_refused() -> None:
    with pytest.raises(SettingsError, match="must be an object"):
        Arguments({"x": "[" * 100_000}).object("x")
