"""Rows 3 and 4: how long a start takes to become the first question."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.bound import Bound
from benchmarks.figure import Figure
from benchmarks.row import Run, wait_until_warm
from benchmarks.script import SHORT
from moonward.runtime import Runtime

WARM_UP = 10
"""Starts before the samples."""


def warm(run: Run) -> Iterator[Figure]:
    """Median of `Runtime.start` and `Session.wait` together: the call of the first to the return of the second.

    The pool has its two warm workers, confined, before each start. Memory journal. 10 starts of warm-up, 300 samples.
    The session is cancelled after each, outside the time.
    """
    yield run.spread("start, warm worker", starts(run, 2, 300), Bound("at_most", 12, "P"))


def cold(run: Run) -> Iterator[Figure]:
    """The same with `warm_workers=0`: the zygote runs, but each worker is forked, confined and greeted on demand."""
    yield run.spread("start, empty pool", starts(run, 0, 200), Bound("at_most", 0.006))


def starts(run: Run, warm_workers: int, samples: int) -> list[float]:
    """Times of starts, in seconds."""
    with run.runtime(journal="memory:", warm_workers=warm_workers) as runtime:
        for _ in range(run.amount(WARM_UP, 2)):
            one(runtime)
        return run.sample(run.amount(samples, 10), lambda: one(runtime))


def one(runtime: Runtime) -> float:
    """The time of one start, in seconds."""
    wait_until_warm(runtime)
    begin_s = time.perf_counter()
    session = runtime.start(SHORT)
    session.wait()
    took_s = time.perf_counter() - begin_s
    session.cancel()
    return took_s
