"""How often a session may lose its worker."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moonward.actors.restart_budget import BACKOFF_MAX_S, RestartBudget


def budget(intensity: int = 3, period_s: float = 60.0) -> RestartBudget:
    return RestartBudget(intensity, period_s, lambda: 0.5)


def test_the_first_restart_is_at_once() -> None:
    assert budget().charge(0.0, 1) == 0.0


def test_the_next_ones_wait_longer_each() -> None:
    each = budget()
    waits = [each.charge(0.0, n) for n in range(3)]
    assert waits[0] == 0.0
    assert waits[1] is not None
    assert waits[2] is not None
    assert 0 < waits[1] < waits[2]


def test_one_more_than_the_intensity_is_refused() -> None:
    each = budget()
    for n in range(3):
        assert each.charge(float(n), n) is not None
    assert each.charge(3.0, 3) is None


def test_a_restart_exactly_as_old_as_the_period_still_counts() -> None:
    each = budget(intensity=1)
    each.charge(0.0, 1)
    assert each.charge(60.0, 2) is None


def test_an_older_one_is_forgotten_when_the_session_has_made_progress() -> None:
    each = budget(intensity=1)
    each.charge(0.0, 1)
    assert each.charge(60.001, 2) == 0.0


def test_without_progress_restarts_count_however_far_apart() -> None:
    each = budget()
    for n in range(3):
        assert each.charge(n * 1000.0, 5) is not None
    assert each.charge(9000.0, 5) is None


def test_no_restarts_at_all_can_be_asked_for() -> None:
    assert budget(intensity=0).charge(0.0, 0) is None


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 2)), max_size=30), st.integers(0, 4))
def test_never_more_than_the_intensity_in_any_period(steps: list[tuple[float, int]], intensity: int) -> None:
    each = budget(intensity)
    now_s, entries, allowed = 0.0, 0, []
    for wait_s, progress in steps:
        now_s, entries = now_s + wait_s, entries + progress
        delay_s = each.charge(now_s, entries)
        if delay_s is not None:
            assert 0 <= delay_s <= BACKOFF_MAX_S
            allowed.append(now_s)
        assert sum(now_s - at_s <= 60.0 for at_s in allowed) <= intensity
