"""Row 12: what sessions that spin do to the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benchmarks.bound import Bound
from benchmarks.figure import Figure
from benchmarks.row import Run
from benchmarks.rows.feed import WARM_UP, timed
from benchmarks.script import ENDLESS
from moonward.load.spread import Spread

SPINNING: Final = 4
"""Sessions that spin, of the target: two for each processor of the reference machine."""

SPIN: Final = "while true do end"


def neighbour(run: Run) -> Iterator[Figure]:
    """Median of a feed while four other sessions run `while true do end`, as a multiple of the median without them.

    Memory journal, one caller. 500 feeds of warm-up, 2,000 samples alone, 2,000 beside the four.
    """
    with run.runtime(journal="memory:") as runtime:
        session = runtime.start(ENDLESS)
        session.wait()
        for _ in range(run.amount(WARM_UP, 20)):
            timed(session)
        total = run.amount(2_000, 50)
        alone = run.sample(total, lambda: timed(session))
        yield run.spread("feed, alone", alone)
        for _ in range(SPINNING):
            runtime.start(SPIN)
        beside = run.sample(total, lambda: timed(session))
    yield run.spread(f"feed beside {SPINNING} spinning sessions", beside)
    times = Spread(beside).median / Spread(alone).median
    yield run.figure(f"beside {SPINNING} spinning sessions ÷ alone", times, "×", Bound("at_most", 3))
