"""Rows 1 and 2: how long an answer takes to become the next question."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from benchmarks.bound import Bound
from benchmarks.figure import Figure
from benchmarks.row import Run
from benchmarks.script import ANSWER, ENDLESS
from moonward.load.spread import Spread
from moonward.runtime import Session

WARM_UP = 500
"""Feeds before the samples; caches and the processor's clock need some hundred."""


PATH_FEEDS = 100
"""Feeds of the path beside row 2, each time."""


def in_memory(run: Run) -> Iterator[Figure]:
    """Median of `Session.feed`, from the call to the return with the next `Paused`. One session, one caller.

    500 feeds of warm-up, 10,000 samples. Question and answer are 64 bytes. Not in it: the start, and any model.
    """
    yield run.spread("feed, memory journal", feeds(run, "memory:", 10_000), Bound("at_most", 2.5, "P"))


def on_disk(run: Run) -> Iterator[Figure]:
    """The same with a SQLite journal and `durability="strict"`: the answer is on the disk when `feed` returns.

    500 feeds of warm-up, 5,000 samples. Its floor is F and the path of row 1, which is measured here again: by another
    session in a memory journal, 100 feeds wherever F is measured between the samples.
    """
    beside: list[float] = []
    with run.runtime(journal="memory:") as other:
        path = other.start(ENDLESS)
        path.wait()

        def feed_path() -> None:
            beside.extend([timed(path) for _ in range(run.amount(PATH_FEEDS, 2))])

        samples = feeds(run, run.database, 5_000, feed_path)
    path_s = Spread(beside).median
    yield run.spread("feed, strict SQLite journal", samples, Bound("at_most", 1.5, "path+F"), path_s=path_s)
    yield run.spread("the path beside it, memory journal", beside)


def feeds(run: Run, journal: str, samples: int, between: Callable[[], None] = lambda: None) -> list[float]:
    """Times of feeds to one session, in seconds."""
    with run.runtime(journal=journal) as runtime:
        session = runtime.start(ENDLESS)
        session.wait()
        for _ in range(run.amount(WARM_UP, 20)):
            timed(session)
        return run.sample(run.amount(samples, 100), lambda: timed(session), between)


def timed(session: Session) -> float:
    """The time of a feed, in seconds."""
    begin_s = time.perf_counter()
    session.feed(ANSWER)
    return time.perf_counter() - begin_s
