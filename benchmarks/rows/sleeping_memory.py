"""Row 9: what a hibernated session takes of the host's memory."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

from benchmarks import memory
from benchmarks.bound import Bound
from benchmarks.figure import Figure
from benchmarks.row import Run
from benchmarks.script import ANSWER, ENDLESS
from moonward.aio import AsyncRuntime

SESSIONS: Final = 100_000
"""Of the target."""

ANSWERS: Final = 3
"""Recorded answers of each session."""

WOKEN: Final = 50
"""Sessions that are woken."""

CALLERS: Final = 64
"""Tasks that make sessions."""

LIMIT_BYTES: Final = 2048
"""Of the target."""

REOPEN: Final = """
import json, sys, time
from pathlib import Path
from moonward import Runtime

def resident_bytes():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024

with Runtime(journal=sys.argv[1] + "-empty", data_dir=sys.argv[2]):
    before = resident_bytes()
begin_s = time.perf_counter()
with Runtime(journal=sys.argv[1], data_dir=sys.argv[2]) as runtime:
    took_s = time.perf_counter() - begin_s
    grown = resident_bytes() - before
    waking_s = []
    for session, _ in zip(runtime.sessions(), range(int(sys.argv[3]))):
        begin_s = time.perf_counter()
        session.wait()
        session.feed(sys.argv[4])
        waking_s.append(time.perf_counter() - begin_s)
    print(json.dumps({"bytes": grown, "seconds": took_s, "waking_s": waking_s}))
"""
"""A host that finds the sessions of another. Compared with a Runtime that has none, which loads the code."""


def sleeping(run: Run) -> Iterator[Figure]:
    """Growth of the host's resident memory (RSS), divided by the sessions, at 100,000 hibernated sessions.

    The sessions are forks of one with three recorded answers, in a SQLite journal: they are not woken to be made.
    Figures: in the host that made them, after they were put to sleep (the memory it needed meanwhile is in it);
    and in a new host that finds them in the journal, with the time that its Runtime takes to open, and the median of
    a first `wait` and `feed` of each of 50 sessions there, which wake it.
    """
    count = run.amount(SESSIONS, 200)
    before = memory.resident_bytes()
    grown = asyncio.run(_populate(run, count)) - before
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-c", REOPEN, run.database, str(run.folder)),
            *(str(run.amount(WOKEN, 2)), ANSWER),
        ],
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(done.stdout)
    bound = Bound("at_most", LIMIT_BYTES)
    yield run.figure(
        f"hibernated session, of {count:,}, found", max(1, found["bytes"]) / count, "bytes", bound
    )
    yield run.figure(f"hibernated session, of {count:,}, put to sleep", max(1, grown) / count, "bytes", bound)
    yield run.figure(f"open a journal of {count:,}", found["seconds"], "s")
    yield run.spread(f"wake one of {count:,}", found["waking_s"])


async def _populate(run: Run, count: int) -> int:
    """Make `count` sleeping sessions; returns the host's memory when they sleep."""
    settings = run.settings(journal=run.database, durability="relaxed", hibernate_after=0.2)
    async with AsyncRuntime(**settings) as runtime:
        original = await runtime.start(ENDLESS)
        await original.wait()
        for _ in range(ANSWERS):
            await original.feed(ANSWER)
        left = iter(range(count - 1))

        async def fork() -> None:
            for done in left:
                await runtime.fork(original.id, 2 * ANSWERS + 1)
                run.progress.count(done, count)

        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(fork())
        await _asleep(runtime)
        return memory.resident_bytes()


async def _asleep(runtime: AsyncRuntime) -> None:
    """Return when no session has an actor any more."""
    deadline_s = time.monotonic() + 60
    while await _actors(runtime):
        if time.monotonic() > deadline_s:
            raise TimeoutError("the sessions did not fall asleep within a minute")
        await asyncio.sleep(0.1)


async def _actors(runtime: AsyncRuntime) -> int:
    tree = await runtime.tree()
    return next(len(each["children"]) for each in tree["children"] if each["id"] == "sessions")
