"""What a process that was forked from a host must let go of: in it no thread of the host runs, and nothing would ever
answer. Its copies of a lock or of a Runtime are told so once the fork is done."""

from __future__ import annotations

import os
from functools import cache, partial
from typing import Protocol
from weakref import WeakSet


class Left(Protocol):
    """Something of a host that is of no use in a process forked from it."""

    def leave(self) -> None:
        """The only thread there is runs in a new process: hold nothing, wait for nothing."""


def leave_in_child(held: Left) -> None:
    """Have `held.leave()` called in every process that is forked from this one."""
    _held().add(held)


@cache
def _held() -> WeakSet[Left]:
    """All that is to leave. One for the process, as its hooks for forks are; made when the first comes."""
    held: WeakSet[Left] = WeakSet()
    os.register_at_fork(after_in_child=partial(_leave, held))
    return held


def _leave(held: WeakSet[Left]) -> None:
    for each in list(held):
        each.leave()
