"""Row 13: whether a feed costs more with many sessions, or with a long journal."""

from __future__ import annotations

import itertools
import resource
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.bound import Bound
from benchmarks.figure import Curve, Figure
from benchmarks.row import Run
from benchmarks.rows.feed import WARM_UP, timed
from benchmarks.script import ENDLESS
from moonward.load.spread import Spread
from moonward.runtime import Runtime, Session

COUNTS: Final = (1, 10, 100, 1_000, 2_500, 5_000)
"""Live sessions at which feeds are timed; the last is the target's."""

LENGTHS: Final = (100, 1_000, 5_000, 20_000)
"""Recorded answers at which feeds are timed."""

FLAT: Final = 1.25
"""A ratio that still counts as flat: what the median of the same feeds varies by, from one minute to the next."""


def growth(run: Run) -> Iterator[Figure | Curve]:
    """Median of feeds with 5,000 live sessions against one, and with 20,000 recorded answers against few.

    Sessions: 2,000 feeds to one of them, first and last alone, in between with more and more others that wait; then one
    feed to each of them in turn, where each finds its worker cold in the processor's caches. Also what the host's
    processor does while 5,000 sessions wait and nobody feeds. Journal: 500 feeds to the long session and to a fresh one
    by turns, in memory and in a strict SQLite journal.
    """
    yield from in_sessions(run)
    for journal, name in (("memory:", "memory journal"), (run.database, "strict SQLite journal")):
        yield from in_length(run, journal, name)


def in_sessions(run: Run) -> Iterator[Figure | Curve]:
    """Growth with the number of live sessions."""
    counts = COUNTS if not run.is_quick else (1, 5)
    one_of: list[tuple[float, float]] = []
    by_turns: list[tuple[float, float]] = []
    with run.runtime(journal="memory:") as runtime:
        sessions = [started(runtime)]
        for _ in range(run.amount(WARM_UP, 20)):
            timed(sessions[0])
        alone = feeds(run, sessions[0])
        for count in counts:
            run.progress.step(f"row {run.key}: {count} sessions")
            while len(sessions) < count:
                sessions.append(started(runtime))
                run.progress.count(len(sessions), count)
            beside = feeds(run, sessions[0])
            one_of.append((count, Spread(beside).median))
            by_turns.append((count, Spread(in_turn(run, sessions)).median))
        yield run.spread(f"feed, one of {count:,} sessions", beside)
        yield run.figure(f"host's processor, {count:,} waiting", idle_share(run) + 1e-9, "of one")
        for session in sessions[1:]:
            session.cancel()
        alone += feeds(run, sessions[0])
    ratio = one_of[-1][1] / Spread(alone).median
    yield run.figure(f"feed, one of {count:,} sessions ÷ alone", ratio, "×", Bound("at_most", FLAT))
    yield run.figure(f"feed, {count:,} in turn ÷ alone", by_turns[-1][1] / Spread(alone).median, "×")
    yield run.curve("growth", "one of them", "live sessions", "seconds per feed", one_of)
    yield run.curve("growth", "each in turn", "live sessions", "seconds per feed", by_turns)


def in_length(run: Run, journal: str, name: str) -> Iterator[Figure | Curve]:
    """Growth with the length of the journal."""
    lengths = LENGTHS if not run.is_quick else (10, 50)
    points: list[tuple[float, float]] = []
    with run.runtime(journal=journal) as runtime:
        session, fed = started(runtime), 0
        for length in lengths:
            run.progress.step(f"row {run.key}: {length} answers, {name}")
            for _ in range(length - fed):
                timed(session)
            pairs = run.amount(500, 10)
            fresh = started(runtime)
            times = [(timed(session), timed(fresh)) for _ in range(pairs)]
            fresh.cancel()
            fed = length + pairs
            long_s, fresh_s = (Spread(each).median for each in zip(*times, strict=True))
            points.append((length, long_s / fresh_s))
    yield run.figure(
        f"feed, {lengths[-1]:,} answers ÷ fresh, {name}", points[-1][1], "×", Bound("at_most", FLAT)
    )
    yield run.curve("length", name, "recorded answers", "feed ÷ feed of a fresh session", points)


def started(runtime: Runtime) -> Session:
    """A paused session."""
    session = runtime.start(ENDLESS)
    session.wait()
    return session


def feeds(run: Run, session: Session) -> list[float]:
    """Times of feeds to one session."""
    return [timed(session) for _ in range(run.amount(2_000, 20))]


def in_turn(run: Run, sessions: list[Session]) -> list[float]:
    """Times of feeds to each session in turn."""
    total = run.amount(5_000, 20)
    return [timed(session) for session in itertools.islice(itertools.cycle(sessions), total)]


def idle_share(run: Run) -> float:
    """Processor time of this process in a time in which it does nothing, as a share of one processor."""
    before, begin_s = _cpu_s(), time.perf_counter()
    time.sleep(run.seconds(3.0, 0.1))
    return (_cpu_s() - before) / (time.perf_counter() - begin_s)


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
