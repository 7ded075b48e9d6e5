"""What the machine itself takes, measured in the same run: P and F.

P is the median round trip of 64 bytes between two Python processes over a pair of pipes, F the median fdatasync of 600
bytes that were appended to a file. No runtime that hands an answer to another process, or to a disk, can be faster;
targets are multiples of them, so that they hold on other machines and in other hours of this one.

The two processes of P are held on two different processors. Left alone, the kernel puts them now on one, where a round
trip takes a tenth of the time because nobody has to be woken, now on two, and the median is a toss-up. The short one is
measured too, and kept as `same_processor_s`, to read the fast end of a distribution by. On a virtual machine the long
one drifts by a factor of two within seconds, with what the host does while a processor idles: so floors are measured
again and again between the samples of a row, and the row's floor is the median of those.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from moonward.load.report import duration
from moonward.load.spread import Spread

ROUND_TRIPS: Final = 1000
"""Samples of P, after `WARM_UP`. Some tens of milliseconds."""

WARM_UP: Final = 100
"""Round trips before the samples; arbitrary."""

MESSAGE: Final = b"m" * 64
"""64 bytes: about a short answer with its frame."""

SYNCS: Final = 200
"""Samples of F. Some tens of milliseconds."""

ENTRY: Final = b"e" * 600
"""600 bytes: about two journal entries, an answer and the next question."""

ECHO: Final = (
    "import os\n"
    "while data := os.read(0, 64):\n"
    "    os.write(1, data)\n"
)  # fmt: skip


class Floors(msgspec.Struct, frozen=True):
    """P and F, in seconds; and P with both processes on one processor.

    `path_s` is what the same path takes without a disk, where a row measures that beside its samples; else 0.
    """

    pipe_s: float
    sync_s: float
    same_processor_s: float
    path_s: float = 0.0

    def sum(self, names: Literal["P", "path+F"]) -> float:
        """The floor that a bound names."""
        return self.pipe_s if names == "P" else self.path_s + self.sync_s


def middle(measured: Sequence[Floors]) -> Floors:
    """The medians of several measurements."""
    return Floors(
        statistics.median(each.pipe_s for each in measured),
        statistics.median(each.sync_s for each in measured),
        statistics.median(each.same_processor_s for each in measured),
    )


def spread_text(measured: Sequence[Floors]) -> str:
    """How the floors of a run were spread, for people."""
    if not measured:
        return "none measured"
    parts = []
    for name, values in (
        ("P", [each.pipe_s for each in measured]),
        ("F", [each.sync_s for each in measured]),
        ("P on one processor", [each.same_processor_s for each in measured]),
    ):
        spread = Spread(values)
        low, middle_, high = (duration(spread.percentile(rank)) for rank in (10, 50, 90))
        parts.append(f"{name} {middle_} ({low} – {high})")
    return f"{', '.join(parts)}; median (p10 – p90) of {len(measured)} measurements"


def measure(folder: Path) -> Floors:
    """Measure them; the file for F is made in `folder`, which should be on the disk of the journals."""
    processors = sorted(os.sched_getaffinity(0))
    return Floors(
        round_trip_s(processors[0], processors[-1]),
        sync_time_s(folder),
        round_trip_s(processors[0], processors[0]),
    )


def round_trip_s(here: int, there: int) -> float:
    """The round trip between this thread, held on the processor `here`, and a process on the processor `there`."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", ECHO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as echo:
        assert echo.stdin is not None
        assert echo.stdout is not None
        to_echo, from_echo = echo.stdin.fileno(), echo.stdout.fileno()
        samples = []
        with held_on(here):
            os.sched_setaffinity(echo.pid, {there})
            for _ in range(WARM_UP + ROUND_TRIPS):
                begin_s = time.perf_counter()
                os.write(to_echo, MESSAGE)
                os.read(from_echo, len(MESSAGE))
                samples.append(time.perf_counter() - begin_s)
    return Spread(samples[WARM_UP:]).median


@contextmanager
def held_on(processor: int) -> Iterator[None]:
    """Hold this thread on one processor meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def sync_time_s(folder: Path) -> float:
    """F. Only the fdatasync is timed, not the write before it."""
    path = folder / "floor"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        samples = []
        for _ in range(SYNCS):
            os.write(fd, ENTRY)
            begin_s = time.perf_counter()
            os.fdatasync(fd)
            samples.append(time.perf_counter() - begin_s)
    finally:
        os.close(fd)
        path.unlink()
    return Spread(samples).median
