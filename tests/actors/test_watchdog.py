"""Slices that take too long, by a clock that the test moves."""

from __future__ import annotations

from typing import Any

from moonward.actors.limits import Limits
from moonward.actors.losses import Loss
from moonward.actors.watchdog import Slice, Watchdog
from moonward.supervisor.manual_loop import ManualLoop


class Process:
    """A worker that uses as much CPU as the test says."""

    def __init__(self) -> None:
        self.used_s = 10.0
        self.limit_s: float | None = None

    def set_cpu_limit(self, seconds_more: float | None) -> None:
        self.limit_s = seconds_more

    def cpu_seconds(self) -> float:
        return self.used_s


def run(limits: Limits, seconds: float, share: float, end_after: float = 1e9) -> list[Loss]:
    loop, process, losses = ManualLoop(), Process(), []
    watchdog = Watchdog(loop)
    slice_ = Slice(process, limits, 0.0, losses.append)  # type: ignore[arg-type]
    watchdog.begin(slice_)
    step_s = 0.05
    passed: Any = 0.0
    while passed < seconds and not losses:
        if passed >= end_after:
            watchdog.end(slice_)
        process.used_s += step_s * share
        loop.advance(step_s)
        passed += step_s
    return losses


LIMITS = Limits(slice_seconds=4.0, cpu_seconds=3.0)


def test_a_slice_within_its_limits_is_left_alone() -> None:
    assert run(LIMITS, 3.5, 0.5) == []


def test_a_slice_that_computes_too_long_is_a_limit() -> None:
    (loss,) = run(LIMITS, 10, 0.6)
    assert loss.kind == "limit"
    assert "slice_seconds (4) exceeded" in loss.detail


def test_too_much_cpu_is_a_limit_before_the_slice_is_over() -> None:
    (loss,) = run(LIMITS, 3.9, 1.0)
    assert loss.kind == "limit"
    assert "cpu_seconds (3) exceeded" in loss.detail


def test_a_worker_that_did_not_compute_was_stopped_or_starved() -> None:
    (loss,) = run(LIMITS, 10, 0.1)
    assert loss.kind == "deadline"


def test_a_slice_that_has_ended_is_not_watched() -> None:
    assert run(LIMITS, 20, 1.0, end_after=1.0) == []


def test_cpu_used_before_the_slice_does_not_count() -> None:
    assert run(Limits(slice_seconds=4.0, cpu_seconds=1.0), 2.0, 0.3) == []
