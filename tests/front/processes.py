"""The processes that a Runtime of this process has, seen from outside."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path


def children(pid: int) -> Iterator[int]:
    """The children of a process, of all its threads."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def workers() -> set[int]:
    """All workers below this process: children of its zygotes."""
    return {worker for zygote in children(os.getpid()) for worker in children(zygote)}


def is_gone(pid: int, pidfd: int, timeout_s: float = 10.0) -> bool:
    """Whether the process ends within `timeout_s`; closes the pidfd."""
    try:
        return bool(select.select([pidfd], [], [], timeout_s)[0])
    finally:
        os.close(pidfd)
