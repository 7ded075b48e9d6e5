"""Percentiles by the nearest rank."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonward.load.spread import RANKS, Spread

samples = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=300)


def test_a_percentile_is_the_nearest_rank() -> None:
    spread = Spread([5, 1, 4, 2, 3])
    assert [spread.percentile(rank) for rank in (0, 20, 21, 50, 80, 81, 100)] == [1, 1, 2, 3, 4, 5, 5]


def test_one_sample_is_every_percentile() -> None:
    assert {value for _, value in Spread([7.0]).table()} == {7.0}


@given(samples, st.floats(0, 100))
def test_a_percentile_is_a_sample_that_that_many_do_not_exceed(values: list[float], rank: float) -> None:
    found = Spread(values).percentile(rank)
    assert found in values
    assert sum(each <= found for each in values) >= len(values) * rank / 100
    assert sum(each < found for each in values) <= len(values) * rank / 100


@given(samples)
def test_the_table_rises_from_the_smallest_sample_to_the_largest(values: list[float]) -> None:
    table = list(Spread(values).table())
    assert [value for _, value in table] == sorted(value for _, value in table)
    assert table[0] == (0, min(values))
    assert table[-1] == (100, max(values))


def test_the_table_leaves_out_ranks_that_the_samples_cannot_tell_from_the_maximum() -> None:
    assert [rank for rank, _ in Spread(range(100)).table()] == [*range(100), 100]
    assert [rank for rank, _ in Spread(range(1000)).table()] == [*range(100), 99.5, 99.9, 100]
    assert tuple(rank for rank, _ in Spread(range(10_000)).table()) == RANKS


def test_the_mean_loses_nothing_to_rounding() -> None:
    assert Spread([0.1] * 10).mean == 0.1


@pytest.mark.parametrize("wrong", [[], [1.0, math.nan], [math.inf]])
def test_a_spread_of_nothing_or_of_no_numbers_is_refused(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="sample"):
        Spread(wrong)


@pytest.mark.parametrize("rank", [-1, 100.1, math.nan])
def test_a_rank_beyond_a_hundred_is_refused(rank: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 100"):
        Spread([1]).percentile(rank)
