"""What a process that was forked from a host must let go of: in it no thread of the host runs, and nothing would ever
answer. Its copies of a lock or of a Runtime are told so once the fork is done."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Left(Protocol):
    """Something of a host that is of no use in a process forked from it."""

    def leave(self) -> None:
        """The only thread there is runs in a new process: hold nothing, wait for nothing."""


_held: WeakSet[Left] = WeakSet()


def leave_in_child(held: Left) -> None:
    """Have `held.leave()` called in every process that is forked from this one."""
    _held.add(held)


def _leave() -> None:
    for held in list(_held):
        held.leave()


os.register_at_fork(after_in_child=_leave)
