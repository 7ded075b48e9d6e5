"""Rows 5 and 6: how many answers a second one Runtime takes, from callers that keep as many sessions busy."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.bound import Bound
from benchmarks.figure import Curve, Figure
from benchmarks.row import LOOK_S, PATIENCE_S, Run
from benchmarks.script import ANSWER, ENDLESS
from moonward.aio import AsyncRuntime, AsyncSession
from moonward.runtime import Session

SESSIONS: Final = 64
"""Sessions of the target."""

CONCURRENCY: Final = (1, 2, 4, 8, 16, 32, 64)
"""Sessions of the curve."""

WARM_UP_S: Final = 0.5
"""Seconds before the count begins; a tenth of it in the quick form."""


def in_memory(run: Run) -> Iterator[Figure | Curve]:
    """Feeds a second with 64 sessions, each with a caller of its own that feeds again as soon as it is answered.

    The callers are 64 tasks of one `AsyncRuntime`, the way to hold many sessions; and, beside the target, 64 threads of
    a `Runtime`. They share the interpreter with the Runtime, as callers do. Half a second of warm-up, then 4 seconds.
    The curve shows the same with fewer sessions, 2 seconds each.
    """
    yield from throughput(run, "memory:", "memory journal", Bound("at_least", 20_000))


def on_disk(run: Run) -> Iterator[Figure | Curve]:
    """The same with a SQLite journal and `durability="strict"`: each answer is on the disk when its feed returns."""
    yield from throughput(run, run.database, "strict SQLite journal", Bound("at_least", 10_000))


def throughput(run: Run, journal: str, name: str, bound: Bound) -> Iterator[Figure | Curve]:
    """The figures and the curves of one journal."""
    duration_s = run.seconds(4.0, 0.1)
    by_tasks = with_tasks(run, journal, SESSIONS, duration_s)
    yield run.figure(f"asyncio, {name}", by_tasks, "feeds/s", bound)
    by_threads = with_threads(run, journal, SESSIONS, duration_s)
    yield run.figure(f"64 threads, {name}", by_threads, "feeds/s")
    duration_s = run.seconds(2.0, 0.1)
    for callers, rate in (("asyncio", with_tasks), ("threads", with_threads)):
        points: list[tuple[float, float]] = []
        for sessions in CONCURRENCY if not run.is_quick else (1, 4):
            run.progress.step(f"row {run.key}: {sessions} sessions, {callers}")
            points.append((sessions, rate(run, journal, sessions, duration_s)))
        yield run.curve("throughput", f"{name}, {callers}", "sessions", "feeds/s", points)


def with_threads(run: Run, journal: str, count: int, duration_s: float) -> float:
    """Feeds a second by a thread for each session."""
    done = [0] * count
    enough = threading.Event()
    with run.runtime(journal=journal) as runtime:
        sessions = [runtime.start(ENDLESS) for _ in range(count)]
        for session in sessions:
            session.wait()

        def feed(place: int, session: Session) -> None:
            while not enough.is_set():
                session.feed(ANSWER)
                done[place] += 1

        threads = [threading.Thread(target=feed, args=pair, daemon=True) for pair in enumerate(sessions)]
        for thread in threads:
            thread.start()
        time.sleep(run.seconds(WARM_UP_S, WARM_UP_S / 10))
        before, begin_s = sum(done), time.perf_counter()
        time.sleep(duration_s)
        while sum(done) == before and time.perf_counter() - begin_s < PATIENCE_S:
            time.sleep(LOOK_S)
        enough.set()
        for thread in threads:
            thread.join()
        return (sum(done) - before) / (time.perf_counter() - begin_s)


def with_tasks(run: Run, journal: str, count: int, duration_s: float) -> float:
    """Feeds a second by a task for each session."""
    return asyncio.run(_with_tasks(run, journal, count, duration_s))


async def _with_tasks(run: Run, journal: str, count: int, duration_s: float) -> float:
    done = [0] * count
    enough = asyncio.Event()
    async with AsyncRuntime(**run.settings(journal=journal)) as runtime:
        sessions = [await runtime.start(ENDLESS) for _ in range(count)]
        for session in sessions:
            await session.wait()

        async def feed(place: int, session: AsyncSession) -> None:
            while not enough.is_set():
                await session.feed(ANSWER)
                done[place] += 1

        async with asyncio.TaskGroup() as group:
            for place, session in enumerate(sessions):
                group.create_task(feed(place, session))
            await asyncio.sleep(run.seconds(WARM_UP_S, WARM_UP_S / 10))
            before, begin_s = sum(done), time.perf_counter()
            await asyncio.sleep(duration_s)
            while sum(done) == before and time.perf_counter() - begin_s < PATIENCE_S:  # noqa: ASYNC110 -- a count
                await asyncio.sleep(LOOK_S)
            enough.set()
        return (sum(done) - before) / (time.perf_counter() - begin_s)
