"""How a figure is judged by its target."""

from __future__ import annotations

import pytest

from benchmarks.bound import Bound
from benchmarks.floors import Floors, middle

FLOORS = Floors(pipe_s=10e-6, sync_s=100e-6, same_processor_s=5e-6, path_s=50e-6)


@pytest.mark.parametrize(
    ("value", "met"), [(124e-6, True), (125e-6, True), (126e-6, False)], ids=["below", "equal", "above"]
)
def test_at_most_a_multiple_of_a_floor(value: float, met: bool) -> None:
    bound = Bound("at_most", 12.5, "P")
    assert bound.limit(FLOORS) == pytest.approx(125e-6)
    assert bound.is_met(value, FLOORS) is met


def test_at_most_a_multiple_of_both_floors() -> None:
    bound = Bound("at_most", 1.5, "path+F")
    assert bound.ratio(300e-6, FLOORS) == pytest.approx(2.0)
    assert bound.limit(FLOORS) == pytest.approx(225e-6)
    assert not bound.is_met(226e-6, FLOORS)


def test_an_absolute_target_does_not_ask_the_floors() -> None:
    bound = Bound("at_least", 20_000)
    assert bound.ratio(10_000, FLOORS) == 0.5
    assert bound.is_met(20_000, FLOORS)
    assert not bound.is_met(19_999, FLOORS)


def test_the_floor_of_a_row_is_the_median_of_what_was_measured_beside_it() -> None:
    measured = [Floors(3, 30, 300), Floors(1, 20, 100), Floors(2, 10, 200)]
    assert middle(measured) == Floors(2, 20, 200)
