"""Row 11: how long a session is away when its worker is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.bound import Bound
from benchmarks.figure import Figure
from benchmarks.row import Run
from benchmarks.rows.feed import timed
from benchmarks.script import ANSWER, ENDLESS
from moonward.testing import FaultyRuntime

ANSWERS: Final = 10
"""Recorded answers of each session."""


def recovery(run: Run) -> Iterator[Figure]:
    """99th percentile of: SIGKILL to the worker of a paused session, then at once a `feed`, to the next `Paused`.

    The answer finds the worker dead or dying; it is given to the next one, which has repeated the ten recorded answers.
    So the time has a feed in it, and whatever it takes to notice. 500 sessions, each killed once; memory journal; the
    pool has what it has, as nobody waits for it between the kills.
    """
    total = run.amount(500, 5)
    with FaultyRuntime(journal="memory:", data_dir=run.folder) as runtime:
        sessions = []
        for _ in run.progress.each(range(total), total):
            session = runtime.start(ENDLESS)
            session.wait()
            for _ in range(ANSWERS):
                timed(session)
            sessions.append((session, runtime.workers(session.id)[""]))
        turns = iter(sessions)

        def one() -> float:
            session, pid = next(turns)
            begin_s = time.perf_counter()
            os.kill(pid, signal.SIGKILL)
            session.feed(ANSWER)
            return time.perf_counter() - begin_s

        samples = run.sample(total, one)
    yield run.spread("recovery from a killed worker", samples, Bound("at_most", 0.050), rank=99)
