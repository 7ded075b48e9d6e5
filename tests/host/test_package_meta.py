"""What a package says of itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonward.actors.host.package_meta import package_meta

FULL = {"name": "cot", "version": "1.2.0", "description": 'Thinks: {aloud}, "slowly"'}


@pytest.mark.parametrize(
    "source",
    [
        'local M = {}\nM.meta = { name = "cot", version = \'1.2.0\', description = "Thinks: {aloud}, \\"slowly\\"" }',
        'return { meta = { name = "cot"; version = "1.2.0"; description = [[Thinks: {aloud}, "slowly"]]; }, run = 1 }',
        'M.meta={["name"]="cot",version="1.2" .. ".0",\n description="Thinks: {aloud}, " ..\n [==["slowly"]==]}',
        (
            '-- M.meta = { name = "no" }\n--[[ M.meta = { name = "no" } ]]\n'
            'M.meta = { name = "cot", -- the name\n tags = { "a", name = "no" }, version = "1.2.0",\n'
            'f = function(x) return { name = "no" } end, description = "Thinks: {aloud}, \\"slowly\\"" }'
        ),
        (
            's = "M.meta = { name = \'no\' }"\nM.meta = { name = "cot", version = "1.2.0", '
            "description = 'Thinks: {aloud}, \"slowly\"', n = 3, }"
        ),
    ],
)
def test_usual_ways_to_write_it_are_understood(source: str) -> None:
    assert package_meta(source) == FULL


def test_a_field_that_is_computed_is_left_out() -> None:
    assert package_meta('M.meta = { name = NAME, version = "1" .. V, description = f("x") }') == {}


def test_a_file_without_it_says_nothing() -> None:
    assert package_meta("return 1") == {}
    assert package_meta("M.meta = {") == {}


@pytest.mark.parametrize("part", ["--[[", "[[", '"\\"', "'", "--[=", "[=", "M.meta={", "{{{{", "meta={name="])
def test_hostile_text_takes_linear_time(part: str) -> None:
    assert package_meta(part * 20_000) == {}


@given(st.text(alphabet="meta={}[]\"'\\-.,;= \nx1", max_size=200))
def test_no_text_makes_it_fail(text: str) -> None:
    assert isinstance(package_meta(text), dict)
