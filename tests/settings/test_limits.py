"""Limits: what is refused, and how durations are given."""

from __future__ import annotations

import typing
from dataclasses import fields
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from moonward.actors.errors import SettingsError
from moonward.actors.limits import LimitFields, Limits
from moonward.actors.settings import Settings, SettingsFields


def test_a_duration_may_be_a_timedelta_and_reads_back_as_seconds() -> None:
    limits = Limits(slice_seconds=timedelta(minutes=2), cpu_seconds=3)
    assert (limits.slice_seconds, limits.cpu_seconds) == (120.0, 3.0)
    assert isinstance(limits.cpu_seconds, float)
    assert Limits.of({"cpu_seconds": timedelta(seconds=9)}, Limits()).cpu_seconds == 9.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory_bytes", 10**30),
        ("memory_bytes", 1 << 10),
        ("memory_bytes", 1e9),
        ("memory_bytes", True),
        ("memory_bytes", None),
        ("max_queries", 0),
        ("max_queries", -1),
        ("max_frame_bytes", 100),
        ("max_frame_bytes", 1 << 31),
        ("max_strands", "4"),
        ("slice_seconds", 0),
        ("slice_seconds", float("inf")),
        ("slice_seconds", float("nan")),
        ("slice_seconds", True),
        ("slice_seconds", "60"),
        ("cpu_seconds", timedelta(seconds=-1)),
        ("cpu_seconds", 10**400),
    ],
)
def test_a_wrong_limit_is_refused_by_name_however_it_is_given(name: str, value: Any) -> None:
    for make in (
        lambda: Limits(**{name: value}),
        lambda: Limits.of({name: value}, Limits()),
        lambda: Settings(limits={name: value}),
    ):
        with pytest.raises(SettingsError, match=f"limits.{name} must be"):
            make()


def test_an_unknown_limit_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(SettingsError, match="unknown limit 'memory'; there are: memory_bytes, "):
        Limits.of({"memory": 1}, Limits())
    with pytest.raises(SettingsError, match="unknown limit '3'"):
        Limits.of({3: 1}, Limits())


def test_every_limit_survives_a_journal() -> None:
    most = Limits(**{name: 1 << 30 for name in Limits.__struct_fields__ if not name.endswith("_seconds")})
    kept = msgspec.json.decode(msgspec.json.encode(most.to_dict()))
    assert Limits.of(kept, Limits()) == most


def test_the_fields_that_type_checkers_know_are_those_that_there_are() -> None:
    assert list(typing.get_type_hints(LimitFields)) == list(Limits.__struct_fields__)
    assert set(SettingsFields.__annotations__) == {each.name for each in fields(Settings)}
