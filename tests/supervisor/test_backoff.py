"""The time between restarts."""

import pytest

from moonward.supervisor.account import Account
from moonward.supervisor.backoff import Backoff, delay_s, next_attempt
from moonward.supervisor.errors import BadChildSpec
from moonward.supervisor.intensity import Intensity

PLAIN = Backoff(first_s=0.5, factor=2.0, max_s=3.0, jitter=0.0, stable_s=10.0)


def test_the_first_restart_is_at_once_and_later_ones_wait_longer_up_to_the_maximum() -> None:
    assert [delay_s(PLAIN, attempt, lambda: 0.5) for attempt in (1, 2, 3, 4, 5, 5000)] == [0, 0.5, 1, 2, 3, 3]


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 0.4), (0.5, 0.5), (1.0, 0.6)])
def test_jitter_moves_the_delay_both_ways(chance: float, expected: float) -> None:
    backoff = Backoff(first_s=0.5, jitter=0.2)
    assert delay_s(backoff, 2, lambda: chance) == pytest.approx(expected)


def test_a_stable_run_starts_over_and_a_short_one_does_not() -> None:
    assert next_attempt(PLAIN, 3, 10.0) == 1
    assert next_attempt(PLAIN, 3, 9.9) == 4


@pytest.mark.parametrize(
    "wrong", [{"first_s": -1}, {"first_s": 9, "max_s": 1}, {"factor": 0.5}, {"jitter": 1.0}, {"stable_s": -1}]
)
def test_a_backoff_that_does_not_grow_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadChildSpec):
        Backoff(**wrong)


def test_an_account_counts_until_its_budget_is_spent_and_recovers_with_time() -> None:
    account, budget = Account(), Intensity(2, 60.0)
    assert account.charge(0.0, budget, PLAIN, lambda: 0.5) == 0.0
    assert account.charge(1.0, budget, PLAIN, lambda: 0.5) == 0.5
    assert account.charge(2.0, budget, PLAIN, lambda: 0.5) is None
    assert account.charge(61.5, budget, PLAIN, lambda: 0.5) == 0.0
