"""When sessions are due, and how long the fake model thinks."""

from __future__ import annotations

from itertools import islice, pairwise
from random import Random

import pytest

from moonward.actors.errors import SettingsError
from moonward.load.arrivals import due_times
from moonward.load.think_time import ThinkTime


def test_even_arrivals_are_at_equal_distances_from_the_beginning_on() -> None:
    assert list(islice(due_times(4, "even", Random(0)), 5)) == [0, 0.25, 0.5, 0.75, 1]


def test_poisson_arrivals_come_at_their_rate_and_as_often_early_as_chance_has_it() -> None:
    due = list(islice(due_times(50, "poisson", Random(1)), 20_000))
    gaps = [later - earlier for earlier, later in pairwise(due)]
    assert due[-1] == pytest.approx(400, rel=0.05)
    assert sum(gap < 1 / 50 for gap in gaps) / len(gaps) == pytest.approx(1 - 1 / 2.71828, rel=0.05)


def test_the_same_seed_gives_the_same_arrivals() -> None:
    one, other = (list(islice(due_times(50, "poisson", Random(7)), 100)) for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    ("text", "parsed"), [("0", (0, 0)), ("1.5", (1.5, 1.5)), ("0.1-0.5", (0.1, 0.5)), ("2-2", (2, 2))]
)
def test_thinking_takes_a_time_or_one_of_a_range(text: str, parsed: tuple[float, float]) -> None:
    think = ThinkTime.parse(text)
    assert (think.least_s, think.most_s) == parsed
    drawn = [think.draw(Random(seed)) for seed in range(50)]
    assert all(parsed[0] <= each <= parsed[1] for each in drawn)


@pytest.mark.parametrize("text", ["", "-1", "x", "2-1", "1-", "nan", "inf", "0-inf", "1-2-3"])
def test_a_time_that_is_none_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(SettingsError, match="seconds, or FROM-TO"):
        ThinkTime.parse(text)
