"""What a piece of code leaves behind in this process: descriptors, threads, processes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LOOK_S = 0.01
"""Seconds between two looks while something is still there; arbitrary, processes take milliseconds to be gone."""


@dataclass(frozen=True)
class Holdings:
    """What this process holds: numbers of descriptors, identities of threads, ids of processes below it."""

    descriptors: frozenset[int]
    threads: frozenset[int]
    processes: frozenset[int]

    @classmethod
    def now(cls) -> Holdings:
        """What it holds now."""
        threads = frozenset(each.ident or 0 for each in threading.enumerate())
        return cls(frozenset(_descriptors()), threads, frozenset(descendants(os.getpid())))

    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {name: len(getattr(self, name)) for name in ("descriptors", "threads", "processes")}

    def beyond(self, before: Holdings) -> dict[str, list[str]]:
        """What is here and was not there, by kind; kinds without any are left out."""
        new = {
            "descriptors": [f"{fd} → {_target(fd)}" for fd in sorted(self.descriptors - before.descriptors)],
            "threads": [each.name for each in threading.enumerate() if each.ident not in before.threads],
            "processes": [str(pid) for pid in sorted(self.processes - before.processes)],
        }
        return {kind: each for kind, each in new.items() if each}


@contextmanager
def nothing_left_behind(patience_s: float = 2.0) -> Iterator[None]:
    """Fails with an `AssertionError` if the block leaves a descriptor, a thread or a process behind.

    What is on its way out has `patience_s` seconds: killed processes take some milliseconds to be gone.
    """
    before = Holdings.now()
    yield
    deadline_s = time.monotonic() + patience_s
    left = Holdings.now().beyond(before)
    while left and time.monotonic() < deadline_s:
        threading.Event().wait(LOOK_S)
        left = Holdings.now().beyond(before)
    if left:
        raise AssertionError(f"left behind: {left}")


def descendants(pid: int) -> set[int]:
    """Ids of the processes below `pid`, those that have ended and were not reaped included."""
    found: set[int] = set()
    left = [pid]
    while left:
        for child in _children(left.pop()):
            if child not in found:
                found.add(child)
                left.append(child)
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # it has ended
        return children
    for task in tasks:
        try:
            children += [int(each) for each in (task / "children").read_text().split()]
        except OSError:
            continue  # that thread has ended
    return children


def _descriptors() -> Iterator[int]:
    for name in os.listdir("/proc/self/fd"):
        if _target(int(name)) is not None:  # else the one that listed them
            yield int(name)


def _target(fd: int) -> str | None:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return None
