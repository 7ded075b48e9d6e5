"""Row 8: what a live paused session takes of the machine's memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from benchmarks import memory
from benchmarks.bound import Bound
from benchmarks.figure import Curve, Figure
from benchmarks.row import Run, wait_until_warm
from benchmarks.script import ENDLESS
from moonward.runtime import Session

COUNTS: Final = (1, 10, 100, 250, 500, 1_000)
"""Sessions at which memory is read; the last is the target's."""

COARSE: Final = 100
"""Sessions from which on a difference of the whole machine's memory says something; it moves by tens of megabytes."""

LIMIT_BYTES: Final = 1.5 * 1e6
"""Of the target."""


def live(run: Run) -> Iterator[Figure | Curve]:
    """Proportional memory (PSS) of the host and all processes below it, with 1,000 live paused sessions against none.

    The difference, divided by the sessions: so the host's share of a session is in it, and what all workers share with
    the zygote is counted once. The kernel's own share (page tables, pipes) is in the second figure, the difference in
    MemAvailable, where everybody else's doings are, too. A confined worker's memory map is closed to others: without
    root there is only the second figure, and it has the target.
    """
    counts = COUNTS if not run.is_quick else (1, 5)
    proportional: list[tuple[float, float]] = []
    available: list[tuple[float, float]] = []
    with run.runtime(journal="memory:") as runtime:
        wait_until_warm(runtime)
        family_0, available_0 = _family_bytes(), memory.available_bytes()
        sessions: list[Session] = []
        for count in counts:
            while len(sessions) < count:
                run.progress.count(len(sessions), counts[-1])
                session = runtime.start(ENDLESS)
                session.wait()
                sessions.append(session)
            wait_until_warm(runtime)
            if count >= COARSE or count == counts[-1]:
                available.append((count, (available_0 - memory.available_bytes()) / count))
            family = _family_bytes()
            if family is not None and family_0 is not None:
                proportional.append((count, (family - family_0) / count))
    bound = Bound("at_most", LIMIT_BYTES)
    name = f"live session, of {counts[-1]:,}"
    if proportional:
        yield run.figure(f"{name}, PSS", proportional[-1][1], "bytes", bound)
        yield run.curve("memory", "PSS", "live sessions", "bytes per session", proportional)
    kernel_too = run.figure(
        f"{name}, MemAvailable", available[-1][1], "bytes", None if proportional else bound
    )
    yield kernel_too
    if len(available) > 1:
        yield run.curve("memory", "MemAvailable", "live sessions", "bytes per session", available)


def _family_bytes() -> int | None:
    try:
        return memory.family_bytes(os.getpid())
    except memory.Unreadable:
        return None
