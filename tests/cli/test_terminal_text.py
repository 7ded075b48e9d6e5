"""What a script wrote cannot act on the terminal."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from moonward.cli.terminal_text import block, json_line, one_line

ACTS = {chr(code) for code in [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0x202E, 0x2066]}


@given(st.text(max_size=50))
def test_a_line_holds_nothing_that_acts(text: str) -> None:
    assert not ACTS & set(one_line(text))


@given(st.text(max_size=50))
def test_a_block_holds_nothing_that_acts_but_line_breaks(text: str) -> None:
    assert not (ACTS - {"\n"}) & set(block(text, "  "))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, st.booleans())
def test_json_holds_nothing_that_acts_and_stays_the_same_value(value: object, ascii_only: bool) -> None:
    line = json_line(value, ascii_only=ascii_only)
    assert not ACTS & set(line)
    assert json.loads(line) == value


def test_escapes_are_readable() -> None:
    assert one_line("a\x1b[31mb\tc\nd\x9be\u202ef") == r"a\e[31mb\tc\nd\x9be\u202ef"


def test_a_long_text_is_cut_with_a_mark() -> None:
    assert one_line("abcdef", 3) == "abc…"
    assert one_line("abc", 3) == "abc"


def test_every_line_of_a_block_is_indented() -> None:
    assert block("a\nb", "| ") == "| a\n| b"
