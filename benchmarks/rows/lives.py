"""Row 7: how many sessions a second live from their start to their end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.bound import Bound
from benchmarks.figure import Figure
from benchmarks.row import LOOK_S, PATIENCE_S, Run
from benchmarks.script import ANSWER, SHORT
from moonward.runtime import Runtime

CALLERS: Final = 4
"""Threads that start sessions: more than processors, so that one can wait while another's worker runs."""

WARM_WORKERS: Final = 8
"""Workers kept ready: two for each caller."""

WARM_UP_S: Final = 0.5
"""Seconds before the count begins; a tenth of it in the quick form."""


def whole(run: Run) -> Iterator[Figure]:
    """Lives a second: start, first question, answer, `Completed`. Four callers, one life after another each, 4 seconds.

    Once with a fresh process for each session, once with `worker_reuse="clean"`. Memory journal.
    """
    yield run.figure("lives, a fresh process each", lives(run, "never"), "lives/s", Bound("at_least", 250))
    yield run.figure("lives, workers reused", lives(run, "clean"), "lives/s", Bound("at_least", 1_500))


def lives(run: Run, worker_reuse: str) -> float:
    """Lives a second."""
    run.progress.step(f"row {run.key}: lives with worker_reuse={worker_reuse!r}")
    done = [0] * CALLERS
    enough = threading.Event()
    with run.runtime(journal="memory:", worker_reuse=worker_reuse, warm_workers=WARM_WORKERS) as runtime:

        def live(place: int) -> None:
            while not enough.is_set():
                one(runtime)
                done[place] += 1

        threads = [threading.Thread(target=live, args=(place,), daemon=True) for place in range(CALLERS)]
        for thread in threads:
            thread.start()
        time.sleep(run.seconds(WARM_UP_S, WARM_UP_S / 10))
        before, begin_s = sum(done), time.perf_counter()
        time.sleep(run.seconds(4.0, 0.1))
        while sum(done) == before and time.perf_counter() - begin_s < PATIENCE_S:
            time.sleep(LOOK_S)
        enough.set()
        for thread in threads:
            thread.join()
        return (sum(done) - before) / (time.perf_counter() - begin_s)


def one(runtime: Runtime) -> None:
    """One life."""
    session = runtime.start(SHORT)
    session.wait()
    session.feed(ANSWER)
