"""Row 10: how long a hibernated session takes to answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from benchmarks.bound import Bound
from benchmarks.figure import Figure
from benchmarks.row import Run, wait_until_warm
from benchmarks.rows.feed import timed
from benchmarks.script import ENDLESS
from moonward.runtime import Session

ANSWERS: Final = 100
"""Recorded answers, of the target."""

ROUNDS: Final = 4
"""Times that each session is woken."""

ASLEEP_S: Final = 10.0
"""Seconds to wait until a session sleeps; it takes a tenth."""


def wake(run: Run) -> Iterator[Figure]:
    """Median of a `feed` to a hibernated session: read its journal, replay 100 answers, go on to the next pause.

    50 sessions with 100 recorded answers (up to 103: each is woken four times) in a strict SQLite journal, put away by
    `hibernate_after`. The pool has its two warm workers. So the time has a feed of row 2 in it. 200 samples.
    """
    with run.runtime(journal=run.database, hibernate_after=0.05) as runtime:
        sessions = []
        total = run.amount(50, 2)
        for _ in run.progress.each(range(total), total):
            session = runtime.start(ENDLESS)
            session.wait()
            for _ in range(ANSWERS):
                timed(session)
            sessions.append(session)
        turns = iter(sessions * ROUNDS)

        def one() -> float:
            session = next(turns)
            wait_until_asleep(session)
            wait_until_warm(runtime)
            return timed(session)

        samples = run.sample(total * ROUNDS, one)
    yield run.spread(f"wake, {ANSWERS} recorded answers", samples, Bound("at_most", 0.010))


def wait_until_asleep(session: Session) -> None:
    """Return when the session has no worker."""
    deadline_s = time.monotonic() + ASLEEP_S
    while session.snapshot()["residency"] != "hibernated":
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"the session did not fall asleep within {ASLEEP_S:g} s")
        time.sleep(0.005)
