"""JSON text that is looked at before it is decoded, against what decoding it gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonward.actors import json_text
from moonward.actors.json_text import MAX_DEPTH, MAX_TABLES, objection

TEXTS = st.text(st.sampled_from('ab[]{}":\\,\n19é\u2028'), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=30,
)


def inside(value: Any) -> list[Any]:
    """The values directly in an array or object."""
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def tables(value: Any) -> int:
    return isinstance(value, dict | list) + sum(map(tables, inside(value)))


def depth(value: Any) -> int:
    return isinstance(value, dict | list) + max(map(depth, inside(value)), default=0)


def members(value: Any) -> int:
    return (len(value) if isinstance(value, dict) else 0) + sum(map(members, inside(value)))


@given(VALUES, st.booleans(), st.sampled_from([1, 2, 3, 7, 64 << 10]))
def test_brackets_and_colons_are_counted_as_a_decoder_would(value: Any, ascii_only: bool, chunk: int) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).replace("Infinity", "1").encode()
    whole, json_text.CHUNK_BYTES = json_text.CHUNK_BYTES, chunk
    try:
        bare = json_text.outside_strings(text)
        found = (json_text.tables(bare), json_text.depth(bare), json_text.members(text))
    finally:
        json_text.CHUNK_BYTES = whole
    assert found == (tables(value), depth(value), members(value))
    assert json_text.tables(text) >= tables(value)


@given(VALUES)
def test_nothing_is_wrong_with_what_scripts_encode(value: Any) -> None:
    text = json.dumps(value).replace("Infinity", "1").encode()
    assert objection(text) is None


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (b"9223372036854775807", None),
        (b"-9223372036854775808", None),
        (b"9223372036854775808", "64 bits"),
        (b"-9223372036854775809", "64 bits"),
        (b"[1,18446744073709551616]", "64 bits"),
        (b"9" * 5000, "64 bits"),
        (b'"99999999999999999999999"', None),
        (b'{"99999999999999999999999":1}', None),
        (b"0.9999999999999999999999999", None),
        (b"9999999999999999999999.5", None),
        (b"9999999999999999999999e5", None),
        (b"1e-9999999999999999999999", None),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "96 levels"),
        (b'{"a":' * 97 + b"1" + b"}" * 97, "96 levels"),
        (b'"' + b"[" * 1000 + b'"', None),
        (b"[" + b",".join([b"{}"] * (MAX_TABLES - 1)) + b"]", None),
        (b"[" + b",".join([b"{}"] * MAX_TABLES) + b"]", "250000 arrays"),
        (b'["' + b"{" * MAX_TABLES + b'"]', None),
    ],
)
def test_what_cannot_be_kept_is_named(text: bytes, wrong: str | None) -> None:
    found = objection(text)
    assert found is None if wrong is None else found is not None and wrong in found
