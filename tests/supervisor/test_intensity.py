"""The restart budget."""

import pytest

from moonward.supervisor.errors import BadChildSpec
from moonward.supervisor.intensity import Intensity, charge

BUDGET = Intensity(2, 5.0)


def test_restarts_up_to_the_budget_are_kept_in_order() -> None:
    assert charge((1.0,), 2.0, BUDGET) == (1.0, 2.0)


def test_one_restart_more_than_the_budget_is_refused() -> None:
    assert charge((1.0, 2.0), 3.0, BUDGET) is None


def test_a_restart_exactly_one_period_old_still_counts() -> None:
    assert charge((1.0, 2.0), 6.0, BUDGET) is None


def test_a_restart_older_than_the_period_is_dropped() -> None:
    assert charge((1.0, 2.0), 6.001, BUDGET) == (2.0, 6.001)


def test_a_budget_of_none_refuses_the_first() -> None:
    assert charge((), 0.0, Intensity(0, 5.0)) is None


@pytest.mark.parametrize("restarts", [-1, 1.5, True, "3", None])
def test_an_intensity_that_is_no_count_is_refused(restarts: object) -> None:
    with pytest.raises(BadChildSpec, match="intensity"):
        Intensity(restarts, 5.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("period_s", [0, -1.0, float("nan"), True, "5"])
def test_a_period_that_is_no_duration_is_refused(period_s: object) -> None:
    with pytest.raises(BadChildSpec, match="period_s"):
        Intensity(1, period_s)  # type: ignore[arg-type]
