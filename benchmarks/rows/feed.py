"""Rows 1 and 2: how long an answer takes to become the next question."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.bound import Bound
from benchmarks.figure import Figure
from benchmarks.row import Run
from benchmarks.script import ANSWER, ENDLESS
from moonward.runtime import Session

WARM_UP = 500
"""Feeds before the samples; caches and the processor's clock need some hundred."""


def in_memory(run: Run) -> Iterator[Figure]:
    """Median of `Session.feed`, from the call to the return with the next `Paused`. One session, one caller.

    500 feeds of warm-up, 10,000 samples. Question and answer are 64 bytes. Not in it: the start, and any model.
    """
    yield run.spread("feed, memory journal", feeds(run, "memory:", 10_000), Bound("at_most", 2.5, "P"))


def on_disk(run: Run) -> Iterator[Figure]:
    """The same with a SQLite journal and `durability="strict"`: the answer is on the disk when `feed` returns.

    500 feeds of warm-up, 5,000 samples.
    """
    yield run.spread(
        "feed, strict SQLite journal", feeds(run, run.database, 5_000), Bound("at_most", 1.5, "P+F")
    )


def feeds(run: Run, journal: str, samples: int) -> list[float]:
    """Times of feeds to one session, in seconds."""
    with run.runtime(journal=journal) as runtime:
        session = runtime.start(ENDLESS)
        session.wait()
        for _ in range(run.amount(WARM_UP, 20)):
            timed(session)
        return run.sample(run.amount(samples, 100), lambda: timed(session))


def timed(session: Session) -> float:
    """The time of a feed, in seconds."""
    begin_s = time.perf_counter()
    session.feed(ANSWER)
    return time.perf_counter() - begin_s
