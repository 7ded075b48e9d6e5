"""How much memory processes take: their proportional share of it, and what the whole machine has left."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from moonward.testing.leftovers import descendants


class Unreadable(Exception):
    """A process keeps its memory map to itself: confined workers do, from everyone but root."""


def family_bytes(pid: int) -> int:
    """Proportional memory of a process and of all below it; pages that several share are counted once.

    `Unreadable` when one of them cannot be read.
    """
    return sum(proportional_bytes(each) for each in (pid, *descendants(pid)))


def proportional_bytes(pid: int) -> int:
    """Memory of one process (PSS): a page that n processes share counts as an n-th; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except PermissionError as error:
        raise Unreadable(f"memory of process {pid}: {error.strerror}; root may read it") from None
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return _kilobytes(lines, "Pss")


def resident_bytes(pid: int | None = None) -> int:
    """Memory of one process, shared pages in full (RSS); by default of this one."""
    return _kilobytes(Path(f"/proc/{pid or os.getpid()}/status").read_text().splitlines(), "VmRSS")


def available_bytes() -> int:
    """What the kernel could still give to programs; everybody's doings show in it."""
    return _kilobytes(Path("/proc/meminfo").read_text().splitlines(), "MemAvailable")


def _kilobytes(lines: Iterable[str], name: str) -> int:
    for line in lines:
        key, _, rest = line.partition(":")
        if key == name:
            return int(rest.split()[0]) * 1024
    raise ValueError(f"no {name} there")
